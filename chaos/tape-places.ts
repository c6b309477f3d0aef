import type { TapedEntry } from './checker.ts';

type Place = { readonly place: number; readonly content: string };

/** What the tape has of one symbol, by its place from 0 on; the oldest can be forgotten. */
export class TapeOfSymbol {
  readonly #places = new Map<string, Place>();
  #end = 0;
  /** The end as it was at the last {@link setGoal}. */
  #goal = 0;

  get goal(): number {
    return this.#goal;
  }

  setGoal(): void {
    this.#goal = this.#end;
  }

  append({ id, content }: TapedEntry): void {
    this.#places.set(id, { place: this.#end, content });
    this.#end += 1;
  }

  find(id: string): Place | undefined {
    return this.#places.get(id);
  }

  forgetBefore(place: number): void {
    for (const [id, known] of this.#places) {
      if (known.place >= place) return;
      this.#places.delete(id);
    }
  }
}

/** The ids of this round and the one before: who sees an older one again finds it missing on the tape. */
export class IdsOfLate {
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
