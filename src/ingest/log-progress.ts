/** How far the log has come: what was added, and how much of it is settled, written or given up. */
export class LogProgress {
  #added = 0;
  #settled = 0;
  #barriers: { readonly target: number; readonly resolve: () => void }[] = [];

  /** How many entries are not settled. */
  get waiting(): number {
    return this.#added - this.#settled;
  }

  add(): void {
    this.#added += 1;
  }

  settle(count: number): void {
    this.#settled += count;
    while (this.#barriers.length > 0 && this.#barriers[0]!.target <= this.#settled) this.#barriers.shift()!.resolve();
  }

  /** Resolves when everything that was added before is settled. */
  async wait(): Promise<void> {
    if (this.waiting <= 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#barriers.push({ target: this.#added, resolve });
    await promise;
  }

  /** Lets everybody go who waits. */
  close(): void {
    for (const { resolve } of this.#barriers.splice(0)) resolve();
  }
}
