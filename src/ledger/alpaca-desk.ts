import type { AlpacaClerk, AlpacaClerkOptions } from './alpaca-clerk.ts';
import type { AlpacaAccess } from './alpaca-rest.ts';
import { AlpacaStream } from './alpaca-stream.ts';
import { type AlpacaOrder, type AlpacaUpdate, nameOf, ownIdOf } from './alpaca-wire.ts';
import type { Desk } from './desk-role.ts';
import { isOpen, type Order } from './order.ts';

export type AlpacaDeskOptions = AlpacaClerkOptions & {
  readonly clerk: AlpacaClerk;
  readonly access: AlpacaAccess;
  readonly random: () => number;
  /** Unix ms. */
  readonly now: () => number;
  /** Gives the role back. */
  readonly release: () => Promise<void>;
};

/**
 * All orders that are open at Alpaca, while this process works them. The stream tells what happens at once. Whenever it has begun
 * to, and by and by also while it does, all open orders are compared with what Alpaca has: what happened while nobody listened,
 * or what was not told, is found by that.
 */
export class AlpacaDesk implements Desk {
  readonly #options: AlpacaDeskOptions;
  readonly #stream: AlpacaStream;
  /** Updates are booked one after the other, in the order in which they came. */
  #booking: Promise<void> = Promise.resolve();
  #waiting = 0;
  #comparing: Promise<void> | null = null;
  #cancelComparing: (() => void) | null = null;
  /** When the next one is to be, by the timers. */
  #compareAt = Number.POSITIVE_INFINITY;
  #isClosed = false;

  constructor(options: AlpacaDeskOptions) {
    this.#options = options;
    const { limits, timers, random, logger, access } = options;
    this.#stream = new AlpacaStream({
      ...access,
      ...{ limits, timers, random, logger },
      onGap: () => this.#compareSoon(0),
      onUpdate: (update) => this.#receive(update),
    });
  }

  open(): void {
    this.#stream.open();
    // Also where the stream cannot be opened.
    this.#compareSoon(0);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelComparing?.();
    await this.#stream.close();
    await this.#booking;
    await this.#comparing;
    await this.#options.release();
  }

  #receive(update: AlpacaUpdate): void {
    const { clerk, limits, logger } = this.#options;
    if (ownIdOf(update.order) === null) return;
    if (this.#waiting >= limits.maxUpdates) return this.#compareSoon(limits.compareRetryMs);
    this.#waiting += 1;
    this.#booking = this.#booking.then(async () => {
      this.#waiting -= 1;
      if (this.#isClosed) return;
      try {
        const order = await clerk.apply(update.order, update.execution);
        if (isBehind(order, update.order)) this.#compareSoon(limits.compareRetryMs);
      } catch (error) {
        logger.warn({ err: error, alpacaOrderId: update.order.id }, 'an update of Alpaca is booked later');
        this.#compareSoon(limits.compareRetryMs);
      }
    });
  }

  #compareSoon(delayMs: number): void {
    const { timers } = this.#options;
    const at = timers.now() + delayMs;
    // What is asked for is never put off, however often it is asked for again.
    if (this.#isClosed || at >= this.#compareAt) return;
    this.#compareAt = at;
    if (this.#comparing === null) this.#setComparing(delayMs);
  }

  #setComparing(delayMs: number): void {
    const { timers, limits, logger } = this.#options;
    this.#cancelComparing?.();
    this.#cancelComparing = timers.after(delayMs, () => {
      this.#compareAt = Number.POSITIVE_INFINITY;
      this.#comparing = this.#compare()
        .catch((error: unknown) => {
          logger.warn({ err: error }, 'the open orders are compared with those at Alpaca later');
          return false;
        })
        .then((isComplete) => {
          this.#comparing = null;
          if (this.#isClosed) return;
          const nextMs = isComplete ? limits.compareMs : limits.compareRetryMs;
          this.#compareAt = Math.min(this.#compareAt, timers.now() + nextMs);
          this.#setComparing(Math.max(0, this.#compareAt - timers.now()));
        });
    });
  }

  /** Whether all is known now that Alpaca knows. */
  async #compare(): Promise<boolean> {
    const { book, rest, limits, now } = this.#options;
    // First ours: what is opened meanwhile is at Alpaca and not among them, never the other way round.
    const open = await book.listOpen();
    if (open.length === 0) return true;
    const there = new Map((await rest.listOpen()).map((seen) => [seen.clientOrderId, seen]));
    let isComplete = true;
    for (const order of open) {
      if (this.#isClosed) return true;
      const seen = there.get(nameOf(order.id)) ?? null;
      there.delete(nameOf(order.id));
      const isYoung = order.createdAt > now() - limits.graceMs;
      // Whoever took it is bringing it there.
      if (seen === null && order.brokerOrderId === null && isYoung) isComplete = false;
      else if (!(await this.#lookAfter(order, seen))) isComplete = false;
    }
    for (const seen of there.values()) await this.#endStranger(seen);
    return isComplete;
  }

  async #lookAfter(order: Order, listed: AlpacaOrder | null): Promise<boolean> {
    const { clerk, rest, logger } = this.#options;
    try {
      const seen = listed ?? (await rest.find(order.id));
      if (seen === null && order.brokerOrderId !== null) {
        logger.error({ orderId: order.id }, 'Alpaca does not know an order that it had: is this another account?');
        return true;
      }
      if (seen === null) {
        await clerk.resolve(order);
        return true;
      }
      const known = await clerk.apply(seen);
      // Who asked could not wait for it, or did not reach Alpaca.
      if (known !== null && isOpen(known) && known.isCancelAsked) await rest.cancel(seen.id);
      return !isBehind(known, seen);
    } catch (error) {
      logger.warn({ err: error, orderId: order.id }, 'an open order is looked after later');
      return false;
    }
  }

  /** One that the ledger has given up, and that has come to Alpaca all the same: it is not to be traded. */
  async #endStranger(seen: AlpacaOrder): Promise<void> {
    const { book, rest, logger } = this.#options;
    const id = ownIdOf(seen);
    const order = id === null ? null : await book.find(id);
    if (order === null || isOpen(order)) return;
    logger.error({ orderId: order.id, alpacaOrderId: seen.id }, 'an order that has ended is open at Alpaca: cancelled');
    await rest.cancel(seen.id);
  }
}

function isBehind(order: Order | null, seen: AlpacaOrder): boolean {
  return order !== null && order.filledQuantity.lt(seen.filledQuantity);
}
