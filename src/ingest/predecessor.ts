import type { Bus } from '../bus/bus.ts';

/** What was wanted when a predecessor wrote is wanted again so long after the start at most. */
const INHERITANCE_MS = 30_000;
/** What is older than this is told, not fetched. */
export const MAX_GAP_MS = 5 * 60_000;

/** The writer before this one: where there was one until just now, its logs are taken over, and what came since is fetched. */
export class Predecessor {
  readonly #bus: Pick<Bus, 'readStatus'>;
  readonly #clock: () => number;
  /** Until then (Unix ms) logs are taken over; 0 where none was alive within the last minute. */
  #inheritsUntil = 0;

  constructor(bus: Pick<Bus, 'readStatus'>, clock: () => number) {
    this.#bus = bus;
    this.#clock = clock;
  }

  /** Finds out whether there was one. To be called before there is a status of this one. Never rejects. */
  async look(): Promise<void> {
    try {
      if ((await this.#bus.readStatus()) !== null) this.#inheritsUntil = this.#clock() + INHERITANCE_MS;
    } catch {
      // Without the bus nothing is known of one: what was missed is told, not fetched.
    }
  }

  /** Whether it wrote this log until just now: its newest entry was received then (Unix ms). */
  hasWritten(newest: { readonly receivedAt: number } | null): boolean {
    const now = this.#clock();
    return newest !== null && now < this.#inheritsUntil && now - newest.receivedAt < MAX_GAP_MS;
  }
}
