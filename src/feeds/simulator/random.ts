/** A small seeded generator (sfc32): the same seed gives the same numbers on every machine. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param seeds any numbers; their order counts */
  constructor(...seeds: readonly number[]) {
    let hash = 0x9e3779b9;
    for (const seed of seeds) {
      hash = Math.imul(hash ^ (seed >>> 0), 0x85ebca6b);
      hash ^= hash >>> 13;
      // The upper half counts too, so that seeds beyond 32 bits (times) differ.
      hash = Math.imul(hash ^ (Math.floor(seed / 2 ** 32) >>> 0), 0xc2b2ae35);
      hash ^= hash >>> 16;
    }
    this.#a = hash | 0;
    this.#b = Math.imul(hash, 0x27d4eb2f) | 0;
    this.#c = ~hash | 0;
    for (let round = 0; round < 12; round += 1) this.next();
  }

  /** Uniform in [0, 1). */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return (sum >>> 0) / 2 ** 32;
  }

  /** A whole number in [0, bound). */
  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  /** Exponential with this mean. */
  exponential(mean: number): number {
    return -Math.log(1 - this.next()) * mean;
  }

  /** At least 1, with this mean. */
  geometric(mean: number): number {
    if (mean <= 1) return 1;
    return 1 + Math.floor(Math.log(1 - this.next()) / Math.log(1 - 1 / mean));
  }

  /** Nearly normal with mean 0 and variance 1; bounded by ±3, which keeps prices from leaping. */
  normal(): number {
    return (this.next() + this.next() + this.next() - 1.5) * 2;
  }
}

/** Draws indices by weight in constant time (Walker's alias method). */
export class WeightedChoice {
  readonly #threshold: Float64Array;
  readonly #alias: Int32Array;

  /** @param weights positive, at least one */
  constructor(weights: readonly number[]) {
    const count = weights.length;
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const scaled = weights.map((weight) => (weight * count) / total);
    this.#threshold = new Float64Array(count).fill(1);
    this.#alias = new Int32Array(count);
    const small: number[] = [];
    const large: number[] = [];
    scaled.forEach((weight, index) => (weight < 1 ? small : large).push(index));
    while (small.length > 0 && large.length > 0) {
      const poor = small.pop()!;
      const rich = large.pop()!;
      this.#threshold[poor] = scaled[poor]!;
      this.#alias[poor] = rich;
      scaled[rich] = scaled[rich]! + scaled[poor]! - 1;
      (scaled[rich] < 1 ? small : large).push(rich);
    }
  }

  draw(random: Random): number {
    const place = random.next() * this.#threshold.length;
    const index = Math.floor(place);
    return place - index < this.#threshold[index]! ? index : this.#alias[index]!;
  }
}
