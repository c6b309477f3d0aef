import type { PrintFragment } from '../../gql/graphql.ts';

export type Print = PrintFragment;

/** Why prints may be missing between two rows of the tape. */
export type HoleCause =
  /** The sequence says so: this reader missed some. */
  | 'missed'
  /** The server's history no longer reached back to where this reader was. */
  | 'expired'
  /** The upstream was interrupted. */
  | 'upstream'
  /** What is above is live; what is below was read from the history, which has other numbers. */
  | 'joined';

export type PrintRow = {
  readonly kind: 'print';
  readonly key: string;
  readonly print: Print;
  /** Against the price of the print before. */
  readonly tick: 'up' | 'down' | 'same';
};

export type HoleRow = {
  readonly kind: 'hole';
  readonly key: string;
  readonly cause: HoleCause;
  /** How many prints; `null` where nobody can say. */
  readonly missing: number | null;
};

export type TapeRow = PrintRow | HoleRow;

type Entry = {
  readonly print: Print;
  /** Counts the beginnings of the log: one that the server lost begins again from 1. */
  readonly era: number;
  /** The server said, just before it, that its history had expired. */
  readonly isTold: boolean;
};

const CAPACITY = 5000;

/**
 * The tape of one symbol: its newest prints in the order of their sequence, each once, with a row wherever some are missing.
 * It is a ring: the oldest go as new ones come.
 *
 * A row's index stays as rows come and go, so that a reader who has stopped the tape keeps what he looks at. Indexes change
 * only with `generation`: where the past was read again, or a hole was filled.
 */
export class TapeLog {
  readonly #capacity: number;
  #entries: Entry[] = [];
  #rows: TapeRow[] = [];
  #first = 0;
  #era = 0;
  #generation = 0;
  #printsSeen = 0;
  /**
   * Whether the past does not lead up to the first live print: it was read while the log did not run, and bears other numbers,
   * or there was none. To read it once more mends that.
   */
  #isProvisional = false;

  constructor(capacity = CAPACITY) {
    this.#capacity = capacity;
  }

  /** The index of the oldest row; the newest one's is `end - 1`. */
  get first(): number {
    return this.#first;
  }

  get end(): number {
    return this.#first + this.#rows.length;
  }

  get generation(): number {
    return this.#generation;
  }

  /** How many prints came live: the difference of two readings says how many came in between. */
  get printsSeen(): number {
    return this.#printsSeen;
  }

  get newest(): Print | null {
    return this.#entries.at(-1)?.print ?? null;
  }

  rowAt(index: number): TapeRow | null {
    return this.#rows[index - this.#first] ?? null;
  }

  /**
   * A live print. `isTold`: the server told of a hole just before it. Says whether the past, read once more, may have what is
   * missing before it.
   */
  add(print: Print, isTold = false): boolean {
    const last = this.#entries.at(-1);
    if (last !== undefined && print.sequence <= last.print.sequence) {
      const place = this.#find(print.sequence);
      const held = this.#entries[place];
      const isHeld = held !== undefined && held.era === this.#era && held.print.sequence === print.sequence;
      if (isHeld && held.print.id === print.id) return false;
      // A number that another print bears, or one that went by long ago under a newer print: the log began anew.
      const isAnew = isHeld || isTold || print.timestamp > last.print.timestamp;
      if (!isAnew) {
        this.#insert(place, print);
        return false;
      }
      this.#era++;
      isTold = true;
    }
    const isJoint = last === undefined ? print.sequence > 1 : last.era === this.#era && last.print.sequence < 1;
    if (isJoint && print.sequence >= 1) this.#isProvisional = true;
    this.#entries.push({ print, era: this.#era, isTold });
    const hole = this.#pushRows(last, this.#entries.at(-1)!);
    this.#printsSeen++;
    // Now and then, not at each print: to take the first of an array moves all the others.
    if (this.#entries.length > this.#capacity * 1.2) this.#trim();
    return this.#isProvisional || hole === 'missed' || hole === 'expired';
  }

  /**
   * The past as the server has it now, oldest first: what lies before the live prints, and what is missing between them. What
   * is newer than the newest live one is left to come live.
   */
  join(past: readonly Print[]): void {
    let kept = this.#entries;
    const newest = kept.at(-1);
    const pastIds = new Set(past.map(({ id }) => id));
    let lowest = Number.NEGATIVE_INFINITY;
    if (this.#isProvisional) {
      const firstLive = kept.findIndex(({ era, print }) => era === this.#era && print.sequence >= 1);
      const lastBefore = kept[firstLive - 1];
      // Where the log stood still before it ran again, its numbers go on as if nothing had been between: what was read from
      // the history stays where it is.
      const isReached = lastBefore === undefined || pastIds.has(lastBefore.print.id);
      if (isReached) kept = kept.slice(firstLive);
      else lowest = kept[firstLive]?.print.sequence ?? lowest;
      this.#isProvisional = false;
    } else if (past[0] !== undefined && past[0].sequence < 1) {
      kept = kept.filter(({ era, print }) => era !== this.#era || print.sequence >= 1);
    }
    const held = new Set(kept.map(({ print }) => print.id));
    const highest = newest?.print.sequence ?? Number.POSITIVE_INFINITY;
    const added = past
      .filter(({ id, sequence }) => !held.has(id) && sequence > lowest && sequence < highest)
      .map((print): Entry => ({ print, era: this.#era, isTold: false }));
    this.#entries = [...kept, ...added].sort((a, b) => a.era - b.era || a.print.sequence - b.print.sequence);
    this.#rebuild();
  }

  /** Nobody could read the past once more: what is there stays, and is said to be joined. */
  settle(): void {
    if (!this.#isProvisional) return;
    this.#isProvisional = false;
    this.#rebuild();
  }

  /** Where in the present era this sequence is, or would be. */
  #find(sequence: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { era, print } = this.#entries[middle]!;
      if (era < this.#era || print.sequence < sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** A print that comes late and fills a hole. One that is older than all that is kept comes too late. */
  #insert(place: number, print: Print): void {
    if (place === 0) return;
    this.#entries.splice(place, 0, { print, era: this.#era, isTold: false });
    this.#rebuild();
  }

  #trim(): void {
    this.#entries = this.#entries.slice(-this.#capacity);
    const first = this.#rows.findIndex((row) => row.kind === 'print' && row.print === this.#entries[0]!.print);
    this.#rows = this.#rows.slice(first);
    this.#first += first;
  }

  #rebuild(): void {
    this.#entries = this.#entries.slice(-this.#capacity);
    this.#rows = [];
    this.#generation++;
    let before: Entry | undefined;
    for (const entry of this.#entries) {
      this.#pushRows(before, entry);
      before = entry;
    }
  }

  #pushRows(before: Entry | undefined, entry: Entry): HoleCause | null {
    const { print } = entry;
    const key = `${entry.era}:${print.sequence}:${print.id}`;
    const hole = before === undefined ? null : this.#readHole(before, entry);
    if (hole !== null) this.#rows.push({ kind: 'hole', key: `before ${key}`, ...hole });
    const move = before === undefined ? 0 : print.price - before.print.price;
    this.#rows.push({ kind: 'print', key, print, tick: move > 0 ? 'up' : move < 0 ? 'down' : 'same' });
    return hole?.cause ?? null;
  }

  #readHole(before: Entry, entry: Entry): Pick<HoleRow, 'cause' | 'missing'> | null {
    const { print } = entry;
    if (before.era !== entry.era) return { cause: 'expired', missing: null };
    const missing = print.sequence - before.print.sequence - 1;
    if (print.gapBefore) return { cause: 'upstream', missing: missing > 0 ? missing : null };
    if (missing === 0) return null;
    // As long as the past is to be read once more, nothing is known to be missing.
    if (before.print.sequence < 1) return this.#isProvisional ? null : { cause: 'joined', missing: null };
    return { cause: entry.isTold ? 'expired' : 'missed', missing };
  }
}
