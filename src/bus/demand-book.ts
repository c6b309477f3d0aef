/** Who wants what in one process's memory: the part of the in-process bus that Redis keeps in leased keys. */
export class DemandBook {
  readonly #clock: () => number;
  readonly #leaseMs: number;
  readonly #processes = new Map<string, { counts: Map<string, number>; deadline: number }>();

  constructor(clock: () => number, leaseMs: number) {
    this.#clock = clock;
    this.#leaseMs = leaseMs;
  }

  set(process: string, changed: ReadonlyMap<string, number>): void {
    const counts = this.#read(process)?.counts ?? new Map<string, number>();
    for (const [symbol, count] of changed) {
      if (count > 0) counts.set(symbol, count);
      else counts.delete(symbol);
    }
    this.#processes.set(process, { counts, deadline: this.#clock() + this.#leaseMs });
  }

  /** Returns `false` where the lease had ended: what the process wants has to be stated anew. */
  renew(process: string): boolean {
    const lease = this.#read(process);
    if (lease === undefined) return false;
    lease.deadline = this.#clock() + this.#leaseMs;
    return true;
  }

  readTotals(): Map<string, number> {
    const totals = new Map<string, number>();
    for (const process of this.#processes.keys()) {
      for (const [symbol, count] of this.#read(process)?.counts ?? []) {
        totals.set(symbol, (totals.get(symbol) ?? 0) + count);
      }
    }
    return totals;
  }

  #read(process: string): { counts: Map<string, number>; deadline: number } | undefined {
    const lease = this.#processes.get(process);
    if (lease === undefined || lease.deadline > this.#clock()) return lease;
    this.#processes.delete(process);
    return undefined;
  }
}
