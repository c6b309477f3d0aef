/** One trade as the log keeps it. Times in Unix ms. */
export type Print = {
  time: number;
  /** Nanoseconds beyond the millisecond: they put the prints of one symbol in one millisecond in order. */
  nanos: number;
  participantTime: number;
  /** 0: not reported through a TRF. */
  trfTime: number;
  trf: number;
  price: number;
  /** Millionths of a share. */
  micros: number;
  exchange: number;
  /** Index into the condition sets. */
  conditionSet: number;
  sequence: number;
  id: number | string;
};

const INITIAL_CAPACITY = 4_096;

/**
 * The recent prints of all symbols in one ring, newest first to be read per symbol. Bounded by `capacity`: the oldest
 * print of the whole tape makes room for a new one.
 */
export class PrintLog {
  readonly #maxCapacity: number;
  #capacity: number;
  /** How many were ever appended; the number of a print is its place in that order. */
  #appended = 0;
  readonly #newest: Float64Array;
  #previous!: Float64Array;
  #time!: Float64Array;
  #participantTime!: Float64Array;
  #trfTime!: Float64Array;
  #price!: Float64Array;
  #micros!: Float64Array;
  #nanos!: Float64Array;
  #sequence!: Float64Array;
  #trf!: Uint16Array;
  #exchange!: Uint16Array;
  #conditionSet!: Uint16Array;
  readonly #ids: (number | string)[] = [];

  constructor(symbolCount: number, capacity: number) {
    this.#maxCapacity = capacity;
    this.#capacity = Math.min(INITIAL_CAPACITY, capacity);
    this.#newest = new Float64Array(symbolCount).fill(-1);
    this.#resize();
  }

  append(symbolIndex: number, print: Print): void {
    if (this.#appended === this.#capacity && this.#capacity < this.#maxCapacity) {
      this.#capacity = Math.min(this.#capacity * 2, this.#maxCapacity);
      this.#resize();
    }
    const slot = this.#appended % this.#capacity;
    this.#previous[slot] = this.#newest[symbolIndex]!;
    this.#newest[symbolIndex] = this.#appended;
    this.#time[slot] = print.time;
    this.#nanos[slot] = print.nanos;
    this.#participantTime[slot] = print.participantTime;
    this.#trfTime[slot] = print.trfTime;
    this.#trf[slot] = print.trf;
    this.#price[slot] = print.price;
    this.#micros[slot] = print.micros;
    this.#sequence[slot] = print.sequence;
    this.#exchange[slot] = print.exchange;
    this.#conditionSet[slot] = print.conditionSet;
    this.#ids[slot] = print.id;
    this.#appended += 1;
  }

  /** The prints of one symbol, newest first, with the number of each. */
  *readBackwards(symbolIndex: number): Generator<Print & { readonly number: number }> {
    let number = this.#newest[symbolIndex]!;
    while (number >= 0 && number >= this.#appended - this.#capacity) {
      const slot = number % this.#capacity;
      yield {
        number,
        time: this.#time[slot]!,
        nanos: this.#nanos[slot]!,
        participantTime: this.#participantTime[slot]!,
        trfTime: this.#trfTime[slot]!,
        trf: this.#trf[slot]!,
        price: this.#price[slot]!,
        micros: this.#micros[slot]!,
        exchange: this.#exchange[slot]!,
        conditionSet: this.#conditionSet[slot]!,
        sequence: this.#sequence[slot]!,
        id: this.#ids[slot]!,
      };
      number = this.#previous[slot]!;
    }
  }

  /** Only before the ring has turned once, so that a print's slot stays its number. */
  #resize(): void {
    const grow = (old: Float64Array | undefined): Float64Array => {
      const grown = new Float64Array(this.#capacity);
      if (old !== undefined) grown.set(old);
      return grown;
    };
    const growSmall = (old: Uint16Array | undefined): Uint16Array => {
      const grown = new Uint16Array(this.#capacity);
      if (old !== undefined) grown.set(old);
      return grown;
    };
    this.#previous = grow(this.#previous);
    this.#time = grow(this.#time);
    this.#nanos = grow(this.#nanos);
    this.#participantTime = grow(this.#participantTime);
    this.#trfTime = grow(this.#trfTime);
    this.#price = grow(this.#price);
    this.#micros = grow(this.#micros);
    this.#sequence = grow(this.#sequence);
    this.#trf = growSmall(this.#trf);
    this.#exchange = growSmall(this.#exchange);
    this.#conditionSet = growSmall(this.#conditionSet);
  }
}
