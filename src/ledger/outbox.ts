import { and, asc, eq, inArray, isNull, lt } from './drizzle.ts';
import { type Bus, userChannel } from '../bus/bus.ts';
import type { Logger } from '../market/logger.ts';
import type { Timers } from '../market/timers.ts';
import type { Database } from './database.ts';
import { notifications } from './tables.ts';

/** What was committed so long ago and is not published is taken over from whoever should have done it. */
const OVERDUE_MS = 2_000;
/** Between two looks for what is overdue; soon again where publishing has just failed. */
const SWEEP_MS = 10_000;
const RETRY_MS = 1_000;
const SWEEP_SIZE = 500;

export type OutboxOptions = {
  readonly database: Database;
  readonly bus: Pick<Bus, 'tell'>;
  readonly timers: Timers;
  /** Unix ms. */
  readonly now: () => number;
  readonly logger: Logger;
};

/**
 * Publishes what was committed, until the bus has taken it: at once, and again and again where that fails, also after the death
 * of the process that committed it. An entry may be published twice: it is numbered, and only says that the log has grown.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  #sweeping: Promise<void> | null = null;
  #cancel: (() => void) | null = null;
  /** By user, the newest number that was committed here. */
  readonly #due = new Map<string, number>();
  #publishing: Promise<void> | null = null;
  #isClosed = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Looks after what is overdue from now on. */
  start(): void {
    if (this.#cancel === null && this.#sweeping === null) this.#sweepLater(0);
  }

  /** To be called after the commit. */
  publish(userId: string, number: number): void {
    this.start();
    this.#due.set(userId, number);
    this.#publishing ??= this.#publishDue().finally(() => (this.#publishing = null));
  }

  async close(): Promise<void> {
    await this.#publishing;
    this.#isClosed = true;
    this.#cancel?.();
    await this.#sweeping;
  }

  /** What is committed while one round runs waits for the next, and costs no statement of its own. */
  async #publishDue(): Promise<void> {
    while (this.#due.size > 0) {
      const users = [...this.#due.keys()];
      this.#due.clear();
      try {
        await this.#publishWhere(inArray(notifications.userId, users));
      } catch (error) {
        this.#options.logger.debug({ err: error }, 'a notification could not be published yet');
        this.#sweepLater(OVERDUE_MS);
      }
    }
  }

  #sweepLater(delayMs: number): void {
    if (this.#isClosed) return;
    this.#cancel?.();
    this.#cancel = this.#options.timers.after(delayMs, () => {
      this.#cancel = null;
      this.#sweeping = this.#sweep().then((nextMs) => {
        this.#sweeping = null;
        this.#sweepLater(nextMs);
      });
    });
  }

  async #sweep(): Promise<number> {
    const { now, logger } = this.#options;
    try {
      const count = await this.#publishWhere(lt(notifications.createdAt, new Date(now() - OVERDUE_MS)));
      return count === SWEEP_SIZE ? 0 : SWEEP_MS;
    } catch (error) {
      logger.debug({ err: error }, 'overdue notifications could not be published yet');
      return RETRY_MS;
    }
  }

  /** Returns how many there were. */
  async #publishWhere(condition: ReturnType<typeof lt>): Promise<number> {
    const { database, bus, now } = this.#options;
    const rows = await database.use((queries) =>
      queries
        .select()
        .from(notifications)
        .where(and(isNull(notifications.publishedAt), condition))
        .orderBy(asc(notifications.userId), asc(notifications.number))
        .limit(SWEEP_SIZE),
    );
    for (const { userId, number, body } of rows) await bus.tell(userChannel(userId), { number, notification: body });
    for (const [userId, ofUser] of Map.groupBy(rows, (row) => row.userId)) {
      const numbers = ofUser.map(({ number }) => number);
      await database.use((queries) =>
        queries
          .update(notifications)
          .set({ publishedAt: new Date(now()) })
          .where(and(eq(notifications.userId, userId), inArray(notifications.number, numbers))),
      );
    }
    return rows.length;
  }
}
