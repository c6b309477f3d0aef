import type { Logger } from '../market/logger.ts';
import type { Timers } from '../market/timers.ts';
import { type AlpacaLimits, wait } from './alpaca-patience.ts';
import { AlpacaRefusalError, type AlpacaRest, AlpacaUnreachableError } from './alpaca-rest.ts';
import { type AlpacaOrder, endingOf, ownIdOf } from './alpaca-wire.ts';
import type { Execution, OrderBook } from './broker.ts';
import { isOpen, type Order } from './order.ts';

export type AlpacaClerkOptions = {
  readonly rest: AlpacaRest;
  readonly book: OrderBook;
  readonly limits: AlpacaLimits;
  readonly timers: Timers;
  readonly logger: Logger;
};

/**
 * Brings single orders to Alpaca, and what has come of them into the book. Whatever it is told, and however often, is booked once:
 * an execution has its place in what is filled of its order, and only the next one is taken.
 */
export class AlpacaClerk {
  readonly #options: AlpacaClerkOptions;

  constructor(options: AlpacaClerkOptions) {
    this.#options = options;
  }

  /**
   * Sends a new order. Where an answer is lost it is first asked whether Alpaca has the order: it is never sent twice without
   * looking, and its name would be refused the second time. What is not known when the time is over is found out later.
   */
  async send(order: Order): Promise<void> {
    const { rest, limits, timers, logger } = this.#options;
    const deadline = timers.now() + limits.sendMs;
    let isPerhapsThere = false;
    for (;;) {
      try {
        const known = isPerhapsThere ? await rest.find(order.id) : null;
        await this.apply(known ?? (await rest.submit(order)));
        return;
      } catch (error) {
        if (error instanceof AlpacaRefusalError) {
          logger.warn({ err: error, orderId: order.id }, 'Alpaca has refused an order');
          await this.#reject(order, error.reason);
          return;
        }
        isPerhapsThere ||= !(error instanceof AlpacaUnreachableError) || error.isPerhapsDone;
        if (rest.closing.aborted) return;
        if (timers.now() + limits.sendRetryMs > deadline) {
          logger.warn({ err: error, orderId: order.id }, 'what has come of an order is found out later');
          // Nobody wants what an order at market brings a minute later.
          if (!isPerhapsThere && order.type === 'MARKET') await this.#reject(order, 'BROKER_UNAVAILABLE');
          return;
        }
      }
      try {
        await wait(timers, limits.sendRetryMs, rest.closing);
      } catch {
        return;
      }
    }
  }

  /** Finds out what has come of an order that should have been sent long ago, and sends it where that makes sense still. */
  async resolve(order: Order): Promise<void> {
    const { rest, book } = this.#options;
    const known = await rest.find(order.id);
    if (known !== null) await this.apply(known);
    else if (order.isCancelAsked) await book.end(order.id, { status: 'CANCELLED' });
    else if (order.type === 'MARKET') await book.end(order.id, { status: 'REJECTED', reason: 'BROKER_UNAVAILABLE' });
    else await this.send(order);
  }

  /** Asks Alpaca to cancel an order, and looks for a moment what has come of that: a fill may be faster. */
  async cancel(order: Order): Promise<void> {
    const { rest, limits, timers, logger } = this.#options;
    try {
      const name = order.brokerOrderId ?? (await rest.find(order.id))?.id;
      if (name === undefined) return;
      await rest.cancel(name);
      for (const delayMs of limits.cancelLooksMs) {
        await wait(timers, delayMs, rest.closing);
        const known = await rest.find(order.id);
        const now = known === null ? null : await this.apply(known);
        if (now !== null && !isOpen(now)) return;
      }
    } catch (error) {
      logger.warn({ err: error, orderId: order.id }, 'an order is cancelled later');
    }
  }

  /**
   * Books what an order at Alpaca shows: its name, the executions that are missing, and its end once all of them are booked.
   * Resolves with the order as it is in the book then; `null` where it is none of ours.
   */
  async apply(seen: AlpacaOrder, execution: Execution | null = null): Promise<Order | null> {
    const { rest, book, logger } = this.#options;
    const id = ownIdOf(seen);
    if (id === null) return null;
    let order = execution === null ? await book.find(id) : await book.execute(id, execution);
    if (order === null) {
      logger.error({ orderId: id, alpacaOrderId: seen.id }, 'Alpaca has an order that the ledger does not know');
      return null;
    }
    if (order.brokerOrderId === null) await book.noteSent(id, seen.id);
    if (order.filledQuantity.lt(seen.filledQuantity)) {
      for (const missed of await rest.listFills(seen.id, order.createdAt)) {
        order = (await book.execute(id, missed)) ?? order;
      }
    }
    const ending = endingOf(seen);
    if (ending === null || !order.filledQuantity.eq(seen.filledQuantity)) return order;
    return book.end(id, ending);
  }

  async #reject(order: Order, reason: AlpacaRefusalError['reason']): Promise<void> {
    const { book, logger } = this.#options;
    try {
      await book.end(order.id, { status: 'REJECTED', reason });
    } catch (error) {
      logger.warn({ err: error, orderId: order.id }, 'that an order was refused is kept later');
    }
  }
}
