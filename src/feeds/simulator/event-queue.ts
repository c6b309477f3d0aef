/**
 * What is to happen when, earliest first: a binary heap of numbers. Bounded by `capacity`; beyond it nothing more is
 * scheduled, which only makes the tape calmer.
 */
export class EventQueue {
  readonly #times: Float64Array;
  readonly #items: Int32Array;
  #size = 0;

  constructor(capacity: number) {
    this.#times = new Float64Array(capacity);
    this.#items = new Int32Array(capacity);
  }

  /** Unix ms of the earliest; Infinity where there is none. */
  get nextTime(): number {
    return this.#size === 0 ? Infinity : this.#times[0]!;
  }

  push(time: number, item: number): void {
    if (this.#size === this.#times.length) return;
    let place = this.#size;
    this.#size += 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (this.#times[parent]! <= time) break;
      this.#times[place] = this.#times[parent]!;
      this.#items[place] = this.#items[parent]!;
      place = parent;
    }
    this.#times[place] = time;
    this.#items[place] = item;
  }

  /** The earliest item; the queue must not be empty. */
  pop(): number {
    const item = this.#items[0]!;
    this.#size -= 1;
    const time = this.#times[this.#size]!;
    const moved = this.#items[this.#size]!;
    let place = 0;
    for (;;) {
      let child = place * 2 + 1;
      if (child >= this.#size) break;
      if (child + 1 < this.#size && this.#times[child + 1]! < this.#times[child]!) child += 1;
      if (this.#times[child]! >= time) break;
      this.#times[place] = this.#times[child]!;
      this.#items[place] = this.#items[child]!;
      place = child;
    }
    this.#times[place] = time;
    this.#items[place] = moved;
    return item;
  }

  clear(): void {
    this.#size = 0;
  }
}
