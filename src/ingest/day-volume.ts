/** More prints than this since the last base are kept as one sum, without their times. */
const MAX_BUCKETS = 512;
const MAX_TIME = 8_640_000_000_000_000;

/**
 * The shares and the turnover of one symbol's day. A base (a snapshot, a bar's day figures) holds for everything before
 * its time; the prints at or after it are added. A print is counted once, whichever of the two comes first.
 */
export class DayVolume {
  #baseTime = -MAX_TIME;
  #baseVolume = 0;
  /** NaN: not known. */
  #baseTurnover = NaN;
  /** Sums of the prints since the base, by time, oldest first. */
  #times: number[] = [];
  #volumes: number[] = [];
  #turnovers: number[] = [];
  /** The sum of those that fell out of the buckets, all before `#tailEnd`. */
  #tailVolume = 0;
  #tailTurnover = 0;
  #tailEnd = -MAX_TIME;
  #granularityMs = 1;
  #volume = 0;
  #turnover = NaN;

  /** Shares; cut to six decimals, the finest that the tape knows. */
  get volume(): number {
    return Math.round(this.#volume * 1e6) / 1e6;
  }

  /** The volume-weighted average price; NaN where it is not known. */
  get vwap(): number {
    return this.#volume > 0 ? Math.round((this.#turnover / this.#volume) * 1e6) / 1e6 : NaN;
  }

  /**
   * How finely the times of coming prints are kept: bars begin and end on seconds, so that 1,000 ms are exact against them;
   * a snapshot is of any millisecond.
   */
  setGranularity(milliseconds: 1 | 1000): void {
    this.#granularityMs = milliseconds;
  }

  /** Counts a print. One from before the base is in the base already. */
  add(timestamp: number, size: number, price: number): void {
    if (timestamp < this.#baseTime) return;
    this.#volume += size;
    this.#turnover += size * price;
    const time = timestamp - (timestamp % this.#granularityMs);
    const times = this.#times;
    let index = times.length - 1;
    if (index < 0 || times[index]! < time) {
      times.push(time);
      this.#volumes.push(size);
      this.#turnovers.push(size * price);
      if (times.length > MAX_BUCKETS) this.#foldOldest();
      return;
    }
    while (index >= 0 && times[index]! > time) index -= 1;
    if (index >= 0 && times[index] === time) {
      this.#volumes[index]! += size;
      this.#turnovers[index]! += size * price;
    } else if (time < this.#tailEnd) {
      this.#tailVolume += size;
      this.#tailTurnover += size * price;
    } else {
      times.splice(index + 1, 0, time);
      this.#volumes.splice(index + 1, 0, size);
      this.#turnovers.splice(index + 1, 0, size * price);
      if (times.length > MAX_BUCKETS) this.#foldOldest();
    }
  }

  /**
   * The day's figures up to `time` (exclusive) as their authority states them. Older ones than the present base are not
   * taken; nor those of a bar that comes so late that the prints after it can no longer be told apart. Where that is so of a
   * snapshot, the prints without a time are held to be in it. Returns whether the base was taken.
   *
   * @param vwap `null`: not known, and then that of the day is not known either
   */
  rebase(time: number, volume: number, vwap: number | null, source: 'bar' | 'snapshot'): boolean {
    if (time < this.#baseTime || (source === 'bar' && time < this.#tailEnd)) return false;
    const times = this.#times;
    let from = 0;
    while (from < times.length && times[from]! < time) from += 1;
    if (from > 0) {
      times.splice(0, from);
      this.#volumes.splice(0, from);
      this.#turnovers.splice(0, from);
    }
    this.#setBase(time, volume, volume === 0 ? 0 : vwap === null ? NaN : volume * vwap);
    return true;
  }

  /** Nothing was traded before what was counted: the average price is then known without a base. */
  assumeWhole(): void {
    if (this.#baseTime !== -MAX_TIME) return;
    this.#baseTurnover = 0;
    this.#sum();
  }

  /** A new day, of which every print will be seen. */
  reset(): void {
    this.#times.length = 0;
    this.#volumes.length = 0;
    this.#turnovers.length = 0;
    this.#setBase(-MAX_TIME, 0, 0);
  }

  #setBase(time: number, volume: number, turnover: number): void {
    this.#baseTime = time;
    this.#baseVolume = volume;
    this.#baseTurnover = turnover;
    this.#tailVolume = 0;
    this.#tailTurnover = 0;
    this.#tailEnd = -MAX_TIME;
    this.#sum();
  }

  #foldOldest(): void {
    const half = MAX_BUCKETS / 2;
    this.#tailEnd = this.#times[half - 1]! + this.#granularityMs;
    this.#times.splice(0, half);
    for (const volume of this.#volumes.splice(0, half)) this.#tailVolume += volume;
    for (const turnover of this.#turnovers.splice(0, half)) this.#tailTurnover += turnover;
  }

  /** From the parts, not by difference: the noise of doubles does not pile up over a day. */
  #sum(): void {
    let volume = this.#baseVolume + this.#tailVolume;
    let turnover = this.#baseTurnover + this.#tailTurnover;
    for (let index = 0; index < this.#times.length; index += 1) {
      volume += this.#volumes[index]!;
      turnover += this.#turnovers[index]!;
    }
    this.#volume = volume;
    this.#turnover = turnover;
  }
}
