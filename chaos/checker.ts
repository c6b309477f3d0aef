/** A print as a subscriber got it. `id` names it on the tape, see {@link Checker.recordTape}. */
export type ReceivedPrint = {
  readonly symbol: string;
  readonly id: string;
  readonly sequence: number;
  readonly gapBefore: boolean;
};

export type ViolationKind =
  | 'silent gap'
  | 'duplicate'
  | 'out of order'
  | 'not on the tape'
  | 'needless gap'
  | 'not served'
  | 'protocol';

export type Violation = { readonly kind: ViolationKind; readonly stream: string; readonly detail: string };

export type Verdict = {
  /** Prints that streams received, each stream's counted. */
  readonly received: number;
  /** Prints of the tape of watched symbols. */
  readonly taped: number;
  /** Received prints whose place on the tape was compared; the rest came after the last look at the tape. */
  readonly compared: number;
  /** How often a reader was told that prints are missing, and how many were. */
  readonly gapsTold: number;
  readonly printsMissedTold: number;
  readonly violations: number;
  readonly byKind: Readonly<Partial<Record<ViolationKind, number>>>;
  /** The first ones of them. */
  readonly examples: readonly Violation[];
};

const MAX_EXAMPLES = 50;

/** What one stream has of one symbol. */
type Track = {
  /** `null` before the first print. */
  sequence: number | null;
  /** The place on the tape of the last one that was compared. */
  place: number | null;
  /** What follows was announced to be incomplete. */
  isTold: boolean;
  /** In which round that was. */
  toldIn: number;
  /** Received, not yet compared with the tape. */
  readonly pending: { readonly print: ReceivedPrint; readonly isTold: boolean; readonly toldIn: number }[];
  readonly ids: Generations;
};

/**
 * Holds the streams of log subscribers against each other's one source, the tape, and against the guarantee: each print once,
 * in order, contiguously numbered; and where one is missing the reader was told before the next. It knows what the
 * contract says and nothing of how it is kept.
 */
export class Checker {
  readonly #tape = new Map<string, TapeOfSymbol>();
  readonly #streams = new Map<string, Map<string, Track>>();
  readonly #violations: Violation[] = [];
  readonly #counts: Partial<Record<ViolationKind, number>> = {};
  #violationCount = 0;
  #received = 0;
  #taped = 0;
  #compared = 0;
  #gapsTold = 0;
  /** Prints that were told to be missing, by the round in which it was told. */
  readonly #missedIn = new Map<number, number>();
  #round = 0;

  /** A stream is one subscription, over all the connections that it lived on. */
  openStream(stream: string, symbols: readonly string[]): void {
    const createTrack = (): Track => ({
      sequence: null,
      place: null,
      isTold: false,
      toldIn: 0,
      pending: [],
      ids: new Generations(),
    });
    this.#streams.set(stream, new Map(symbols.map((symbol) => [symbol, createTrack()])));
  }

  record(stream: string, print: ReceivedPrint): void {
    this.#received += 1;
    const track = this.#streams.get(stream)?.get(print.symbol);
    if (track === undefined) {
      this.report('protocol', stream, `${print.symbol} was never asked for`);
      return;
    }
    const isTold = track.isTold || print.gapBefore;
    const { sequence } = track;
    const isRepeated = !track.ids.add(print.id);
    if (isRepeated) {
      this.report('duplicate', stream, `${describe(print)} after ${sequence}`);
      return;
    }
    if (sequence !== null && !track.isTold && print.sequence !== sequence + 1) {
      if (print.sequence <= sequence) this.report('out of order', stream, `${describe(print)} after ${sequence}`);
      else if (!print.gapBefore) this.report('silent gap', stream, `${describe(print)} after ${sequence}`);
    }
    track.sequence = print.sequence;
    track.pending.push({ print, isTold, toldIn: track.isTold ? track.toldIn : this.#round });
    track.isTold = false;
  }

  /** The reader of this stream was told, for all its symbols, that prints are missing before the next one. */
  tellLoss(stream: string): void {
    for (const track of this.#streams.get(stream)!.values()) {
      if (!track.isTold) track.toldIn = this.#round;
      track.isTold = true;
    }
  }

  /** Prints of a symbol as the exchange has them on record, oldest first, following those that were given before. */
  recordTape(symbol: string, ids: readonly string[]): void {
    const tape = this.#tape.get(symbol) ?? new TapeOfSymbol();
    this.#tape.set(symbol, tape);
    for (const id of ids) tape.append(id);
    this.#taped += ids.length;
  }

  /** Whether every stream has the last print of the tape as it was last read, or a later one. */
  isDrained(): boolean {
    for (const [, symbol, track] of this.#tracks()) if (!this.#isCurrent(symbol, track)) return false;
    return true;
  }

  /** Who lags behind the tape, in words; for a run that does not drain. */
  describeLag(): string[] {
    const lags: string[] = [];
    for (const [stream, symbol, track] of this.#tracks()) {
      if (this.#isCurrent(symbol, track)) continue;
      lags.push(`${stream} ${symbol}: at ${track.place} of ${this.#tape.get(symbol)!.end - 1}`);
    }
    return lags;
  }

  #isCurrent(symbol: string, track: Track): boolean {
    const tape = this.#tape.get(symbol);
    if (tape === undefined || tape.end === 0 || track.place === tape.end - 1) return true;
    const newest = track.pending.at(-1);
    if (newest === undefined) return false;
    const place = tape.find(newest.print.id);
    return place === undefined || place === tape.end - 1;
  }

  /** What is told from now on belongs to the next round. The first one begins with the checker. */
  beginRound(): void {
    this.#round += 1;
    for (const [, , track] of this.#tracks()) track.ids.turn();
  }

  /** Prints that streams were told in this round to have missed, as far as the tape is known. */
  get missedInRound(): number {
    return this.#missedIn.get(this.#round) ?? 0;
  }

  /** Compares what came with the tape as far as that is known, and forgets what is done with. */
  compare(): void {
    for (const [stream, symbol, track] of this.#tracks()) {
      const tape = this.#tape.get(symbol) ?? new TapeOfSymbol();
      let done = 0;
      for (const [index, { print }] of track.pending.entries()) if (tape.find(print.id) !== undefined) done = index + 1;
      for (const received of track.pending.splice(0, done)) this.#place(stream, track, tape, received);
    }
    for (const [symbol, tape] of this.#tape) {
      const places: number[] = [];
      for (const [, watched, track] of this.#tracks()) if (watched === symbol) places.push(track.place ?? 0);
      tape.forgetBefore(Math.min(...places));
    }
  }

  /** For what others notice. */
  report(kind: ViolationKind, stream: string, detail: string): void {
    this.#violationCount += 1;
    this.#counts[kind] = (this.#counts[kind] ?? 0) + 1;
    if (this.#violations.length < MAX_EXAMPLES) this.#violations.push({ kind, stream, detail });
  }

  get verdict(): Verdict {
    return {
      received: this.#received,
      taped: this.#taped,
      compared: this.#compared,
      gapsTold: this.#gapsTold,
      printsMissedTold: this.#missedIn.values().reduce((sum, count) => sum + count, 0),
      violations: this.#violationCount,
      byKind: this.#counts,
      examples: this.#violations,
    };
  }

  #place(stream: string, track: Track, tape: TapeOfSymbol, { print, isTold, toldIn }: Track['pending'][number]): void {
    const place = tape.find(print.id);
    if (place === undefined) {
      this.report('not on the tape', stream, describe(print));
      return;
    }
    this.#compared += 1;
    if (isTold) this.#gapsTold += 1;
    if (track.place !== null) {
      const missing = place - track.place - 1;
      if (missing < 0) {
        this.report('out of order', stream, `${describe(print)}: at ${place} of the tape, after ${track.place}`);
        return;
      }
      if (isTold) this.#missedIn.set(toldIn, (this.#missedIn.get(toldIn) ?? 0) + missing);
      else if (missing > 0)
        this.report('silent gap', stream, `${missing} prints of the tape before ${describe(print)}`);
    }
    track.place = place;
  }

  *#tracks(): Generator<[stream: string, symbol: string, track: Track]> {
    for (const [stream, tracks] of this.#streams) for (const [symbol, track] of tracks) yield [stream, symbol, track];
  }
}

/** The prints of one symbol by their place, from 0 on; the oldest can be forgotten. */
class TapeOfSymbol {
  readonly #places = new Map<string, number>();
  #end = 0;

  get end(): number {
    return this.#end;
  }

  append(id: string): void {
    this.#places.set(id, this.#end);
    this.#end += 1;
  }

  find(id: string): number | undefined {
    return this.#places.get(id);
  }

  forgetBefore(place: number): void {
    for (const [id, known] of this.#places) {
      if (known >= place) return;
      this.#places.delete(id);
    }
  }
}

/** What was seen in this round and the one before: who sees an older one again finds it missing on the tape. */
class Generations {
  #now = new Set<string>();
  #before = new Set<string>();

  /** Returns whether it is new. */
  add(id: string): boolean {
    if (this.#before.has(id) || this.#now.has(id)) return false;
    this.#now.add(id);
    return true;
  }

  turn(): void {
    this.#before = this.#now;
    this.#now = new Set();
  }
}

function describe({ symbol, sequence, id, gapBefore }: ReceivedPrint): string {
  return `${symbol} ${sequence} (${id}${gapBefore ? ', gapBefore' : ''})`;
}
