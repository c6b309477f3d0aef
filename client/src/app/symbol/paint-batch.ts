/** Runs once per painted frame whatever was asked for in between, and not at all while the page is hidden. */
export class PaintBatch {
  readonly #paint: () => void;
  #frame: number | null = null;

  constructor(paint: () => void) {
    this.#paint = paint;
  }

  readonly request = (): void => {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      this.#paint();
    });
  };

  cancel(): void {
    if (this.#frame !== null) cancelAnimationFrame(this.#frame);
    this.#frame = null;
  }
}
