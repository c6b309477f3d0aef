/**
 * Runs once per painted frame whatever was asked for in between, and not at all while the page is hidden; `leastMs`: not again
 * before so long, for what changes more often than eyes can follow.
 */
export class PaintBatch {
  readonly #paint: () => void;
  readonly #leastMs: number;
  #frame: number | null = null;
  #paintedAt = Number.NEGATIVE_INFINITY;

  constructor(paint: () => void, leastMs = 0) {
    this.#paint = paint;
    this.#leastMs = leastMs;
  }

  readonly request = (): void => {
    this.#frame ??= requestAnimationFrame(this.#run);
  };

  cancel(): void {
    if (this.#frame !== null) cancelAnimationFrame(this.#frame);
    this.#frame = null;
  }

  readonly #run = (now: number): void => {
    if (now - this.#paintedAt < this.#leastMs) {
      this.#frame = requestAnimationFrame(this.#run);
      return;
    }
    this.#frame = null;
    this.#paintedAt = now;
    this.#paint();
  };
}
