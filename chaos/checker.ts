import { IdsOfLate, TapeOfSymbol } from './tape-places.ts';

/** An entry of a log as a subscriber got it. */
export type ReceivedEntry = {
  readonly symbol: string;
  /** Names it on the tape, see {@link Checker.recordTape}. */
  readonly id: string;
  /** `null`: entries of this log are not numbered. */
  readonly sequence: number | null;
  readonly gapBefore: boolean;
  /** What it says, in the words of the tape. */
  readonly content: string;
};

/** An entry as the exchange has it on record. */
export type TapedEntry = { readonly id: string; readonly content: string };

export type ViolationKind =
  | 'silent gap'
  | 'duplicate'
  | 'out of order'
  | 'not on the tape'
  | 'altered'
  | 'needless gap'
  | 'not served'
  | 'protocol';

export type Violation = { readonly kind: ViolationKind; readonly stream: string; readonly detail: string };

export type Verdict = {
  /** Entries that streams received, each stream's counted. */
  readonly received: number;
  /** Entries of the tape of watched symbols. */
  readonly taped: number;
  /** Received entries whose place on the tape was compared; the rest came after the last look at the tape. */
  readonly compared: number;
  /** How often a reader was told that entries are missing, and how many were. */
  readonly gapsTold: number;
  readonly missedTold: number;
  /** Of the gaps that were told: in which nothing was missing. Allowed, for entries *may* be missing; worth a look. */
  readonly emptyGapsTold: number;
  readonly violations: number;
  readonly byKind: Readonly<Partial<Record<ViolationKind, number>>>;
  /** The first ones of them. */
  readonly examples: readonly Violation[];
};

const MAX_EXAMPLES = 50;

/** What one stream has of one symbol. */
type Track = {
  /** `null` before the first entry, and where they are not numbered. */
  sequence: number | null;
  /** The place on the tape of the last one that was compared. */
  place: number | null;
  /** What follows was announced to be incomplete. */
  isTold: boolean;
  /** In which round that was. */
  toldIn: number;
  /** Received, not yet compared with the tape. */
  readonly pending: Pending[];
  readonly ids: IdsOfLate;
};

type Pending = { readonly entry: ReceivedEntry; readonly isTold: boolean; readonly toldIn: number };

/**
 * Holds the streams of subscribers to one kind of log against their one source, the tape, and against the guarantee: each
 * entry once, as it was, in order, contiguously numbered where it has a number; and where one is missing the reader was told
 * before the next. It knows what the contract says and nothing of how it is kept.
 */
export class Checker {
  readonly #tape = new Map<string, TapeOfSymbol>();
  readonly #streams = new Map<string, Map<string, Track>>();
  readonly #violations: Violation[] = [];
  readonly #counts: Partial<Record<ViolationKind, number>> = {};
  #violationCount = 0;
  readonly #received = new Map<string, number>();
  #taped = 0;
  #compared = 0;
  #gapsTold = 0;
  #emptyGapsTold = 0;
  /** Entries that were told to be missing, by the round in which it was told. */
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
      ids: new IdsOfLate(),
    });
    this.#streams.set(stream, new Map(symbols.map((symbol) => [symbol, createTrack()])));
  }

  record(stream: string, entry: ReceivedEntry): void {
    this.#received.set(stream, (this.#received.get(stream) ?? 0) + 1);
    const track = this.#streams.get(stream)?.get(entry.symbol);
    if (track === undefined) {
      this.report('protocol', stream, `${entry.symbol} was never asked for`);
      return;
    }
    const { sequence, isTold } = track;
    if (!track.ids.add(entry.id)) {
      this.report('duplicate', stream, `${describe(entry)} after ${sequence ?? `place ${track.place}`}`);
      return;
    }
    if (sequence !== null && entry.sequence !== null && !isTold && entry.sequence !== sequence + 1) {
      if (entry.sequence <= sequence) this.report('out of order', stream, `${describe(entry)} after ${sequence}`);
      else if (!entry.gapBefore) this.report('silent gap', stream, `${describe(entry)} after ${sequence}`);
    }
    track.sequence = entry.sequence;
    track.pending.push({ entry, isTold: isTold || entry.gapBefore, toldIn: isTold ? track.toldIn : this.#round });
    track.isTold = false;
  }

  /** The reader of this stream was told, for all its symbols, that entries are missing before the next one. */
  tellLoss(stream: string): void {
    for (const track of this.#streams.get(stream)!.values()) {
      if (!track.isTold) track.toldIn = this.#round;
      track.isTold = true;
    }
  }

  /** What the exchange has on record of a symbol, oldest first, following what was given before. */
  recordTape(symbol: string, entries: readonly TapedEntry[]): void {
    const tape = this.#tape.get(symbol) ?? new TapeOfSymbol();
    this.#tape.set(symbol, tape);
    for (const entry of entries) tape.append(entry);
    this.#taped += entries.length;
  }

  /** The streams that lack some of what the tape had at the last {@link compare}, with what each has received: one in which that stands still is stuck, not slow. */
  listLagging(): Map<string, number> {
    const lagging = new Map<string, number>();
    for (const [stream, symbol, track] of this.#tracks()) {
      if (!this.#isCurrent(symbol, track)) lagging.set(stream, this.#received.get(stream) ?? 0);
    }
    return lagging;
  }

  /** The same in words. */
  describeLag(): string[] {
    const lags: string[] = [];
    for (const [stream, symbol, track] of this.#tracks()) {
      if (this.#isCurrent(symbol, track)) continue;
      lags.push(`${stream} ${symbol}: at ${track.place} of ${this.#tape.get(symbol)!.goal - 1}`);
    }
    return lags;
  }

  #isCurrent(symbol: string, track: Track): boolean {
    const tape = this.#tape.get(symbol);
    if (tape === undefined || tape.goal === 0 || (track.place ?? -1) >= tape.goal - 1) return true;
    const newest = track.pending.at(-1);
    if (newest === undefined) return false;
    const known = tape.find(newest.entry.id);
    return known === undefined || known.place >= tape.goal - 1;
  }

  /** What is told from now on belongs to the next round. The first one begins with the checker. */
  beginRound(): void {
    this.#round += 1;
    for (const [, , track] of this.#tracks()) track.ids.turn();
  }

  /** Entries that streams were told in this round to have missed, as far as the tape is known. */
  get missedInRound(): number {
    return this.#missedIn.get(this.#round) ?? 0;
  }

  /** Where nothing was lost in this round by the nature of what struck, nothing need have been told as missed. */
  expectNothingMissed(cause: string): void {
    const missed = this.missedInRound;
    if (missed > 0) this.report('needless gap', 'all', `${missed} entries told as missed in ${cause}`);
  }

  /** Compares what came with the tape as far as that is known, and forgets what is done with. */
  compare(): void {
    for (const [stream, symbol, track] of this.#tracks()) {
      const tape = this.#tape.get(symbol) ?? new TapeOfSymbol();
      let done = 0;
      for (const [index, { entry }] of track.pending.entries()) if (tape.find(entry.id) !== undefined) done = index + 1;
      for (const received of track.pending.splice(0, done)) this.#place(stream, track, tape, received);
    }
    for (const [symbol, tape] of this.#tape) {
      tape.setGoal();
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
      received: this.#received.values().reduce((sum, count) => sum + count, 0),
      taped: this.#taped,
      compared: this.#compared,
      gapsTold: this.#gapsTold,
      missedTold: this.#missedIn.values().reduce((sum, count) => sum + count, 0),
      emptyGapsTold: this.#emptyGapsTold,
      violations: this.#violationCount,
      byKind: this.#counts,
      examples: this.#violations,
    };
  }

  #place(stream: string, track: Track, tape: TapeOfSymbol, { entry, isTold, toldIn }: Pending): void {
    const known = tape.find(entry.id);
    if (known === undefined) {
      this.report('not on the tape', stream, describe(entry));
      return;
    }
    this.#compared += 1;
    if (isTold) this.#gapsTold += 1;
    const { place, content } = known;
    if (content !== entry.content) {
      this.report('altered', stream, `${describe(entry)}: ${entry.content}, on the tape ${content}`);
    }
    if (track.place !== null) {
      const missing = place - track.place - 1;
      if (missing < 0) {
        this.report('out of order', stream, `${describe(entry)}: at ${place} of the tape, after ${track.place}`);
        return;
      }
      if (isTold) this.#tellMissed(toldIn, missing);
      else if (missing > 0)
        this.report('silent gap', stream, `${missing} entries of the tape before ${describe(entry)}`);
    }
    track.place = place;
  }

  #tellMissed(round: number, missing: number): void {
    if (missing === 0) this.#emptyGapsTold += 1;
    this.#missedIn.set(round, (this.#missedIn.get(round) ?? 0) + missing);
  }

  *#tracks(): Generator<[stream: string, symbol: string, track: Track]> {
    for (const [stream, tracks] of this.#streams) for (const [symbol, track] of tracks) yield [stream, symbol, track];
  }
}

function describe({ symbol, sequence, id, gapBefore }: ReceivedEntry): string {
  const number = sequence === null ? '' : `${sequence} `;
  return `${symbol} ${number}(${id}${gapBefore ? ', gapBefore' : ''})`;
}
