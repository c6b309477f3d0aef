/** When each price of one symbol became its current one. */
export class PriceTrail {
  readonly #times: number[] = [];
  readonly #prices: number[] = [];

  /** In the order of time; a price that is the current one already is no change. */
  note(price: number, at: number): void {
    if (this.#prices.at(-1) === price) return;
    this.#prices.push(price);
    this.#times.push(at);
  }

  /** The place of the newest change to a price that was known at a time; `null`: there is none. */
  find(price: number, at: number): number | null {
    for (let place = this.#prices.length - 1; place >= 0; place--) {
      if (this.#prices[place] === price && this.#times[place]! <= at) return place;
    }
    return null;
  }

  /** When a change happened; `null`: it has not. */
  timeOf(place: number): number | null {
    return this.#times[place] ?? null;
  }
}

/** What a viewer was told at a time: the price of each symbol, `null` where none is known. Times are in ms. */
export type PriceFrame = { readonly at: number; readonly prices: readonly (number | null)[] };

export type Waits = {
  /** Of each price that has moved since the frame before: from the first such change to the frame. */
  readonly sinceChange: number[];
  /** Of each frame that tells of one: from when it was due, which is the first change, but a pace after the frame before. */
  readonly sinceDue: number[];
};

/** How long a viewer's frames, which come at most once in `paceMs`, have kept changes waiting. */
export function measureWaits(frames: readonly PriceFrame[], trails: readonly PriceTrail[], paceMs: number): Waits {
  const waits: Waits = { sinceChange: [], sinceDue: [] };
  const told: (number | null)[] = trails.map(() => null);
  let toldAt: number | null = null;
  for (const { at, prices } of frames) {
    let firstChange = Number.POSITIVE_INFINITY;
    for (const [index, price] of prices.entries()) {
      const trail = trails[index]!;
      const before = told[index]!;
      const place = price === null ? null : trail.find(price, at);
      told[index] = place;
      if (place === null || before === null || place <= before) continue;
      const changedAt = trail.timeOf(before + 1)!;
      waits.sinceChange.push(at - changedAt);
      firstChange = Math.min(firstChange, changedAt);
    }
    if (toldAt !== null && firstChange !== Number.POSITIVE_INFINITY) {
      waits.sinceDue.push(at - Math.max(firstChange, toldAt + paceMs));
    }
    toldAt = at;
  }
  return waits;
}
