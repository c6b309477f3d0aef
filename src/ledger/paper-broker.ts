import { ordersChannel } from '../bus/bus.ts';
import type { Quote } from '../market/quote.ts';
import type { Answer, Broker, BrokerKind, BrokerParts } from './broker.ts';
import { decimalOfPrice, type Decimal } from './decimal.ts';
import { DeskRole } from './desk-role.ts';
import type { Order, OrderSide, OrderTicket } from './order.ts';
import type { LedgerQuote } from './quotes.ts';

/** Between two readings of all orders that are open. */
const RELOAD_MS = 10_000;
const RETRY_MS = 1_000;

/**
 * Fills orders by the quotes alone. A market order is filled at once, all of it, at the opposite side of the quote: the ask for a
 * buy, the bid for a sell; so is a limit order that the quote already meets. Others wait until the opposite side comes to their
 * limit, or a print goes through it, and are then filled at their limit. There is no queue, no size that a price is good for, and
 * no print of its own: what is traded here moves no market.
 */
export class PaperBroker implements Broker {
  readonly #options: BrokerParts;
  readonly #role: DeskRole;

  constructor(options: BrokerParts) {
    this.#options = options;
    const open = (release: () => Promise<void>): PaperDesk => {
      const desk = new PaperDesk(options, release);
      desk.open();
      return desk;
    };
    this.#role = new DeskRole({ ...options, open });
  }

  async answer({ symbol, side, type, limitPrice }: OrderTicket): Promise<Answer> {
    const { readQuote, isMarketOpen } = this.#options;
    const quote = await readQuote(symbol);
    if (quote === null) return { kind: 'reject', reason: 'NO_QUOTE' };
    const isOpen = isMarketOpen();
    if (type === 'MARKET' && !isOpen) return { kind: 'reject', reason: 'MARKET_CLOSED' };
    const price = quote.stale ? null : oppositeOf(quote, side);
    if (type === 'MARKET') return price === null ? { kind: 'reject', reason: 'NO_QUOTE' } : { kind: 'fill', price };
    return isOpen && price !== null && isWithin(price, side, limitPrice!) ? { kind: 'fill', price } : { kind: 'rest' };
  }

  start(): void {
    this.#role.start();
  }

  close(): Promise<void> {
    return this.#role.close();
  }
}

export const paperBroker: BrokerKind = { name: 'paper', open: (parts) => new PaperBroker(parts) };

/** Only limit orders wait. */
type Waiting = Order & { readonly limitPrice: Decimal };

/** The orders that wait for one symbol. */
type Line = { readonly orders: Map<string, Waiting>; stop: () => void; quote: LedgerQuote | null };

/** The open orders, while this process works them. */
class PaperDesk {
  readonly #options: BrokerParts;
  readonly #release: () => Promise<void>;
  readonly #lines = new Map<string, Line>();
  readonly #filling = new Set<Promise<void>>();
  #unsubscribe: Promise<() => Promise<void>> | null = null;
  #cancelReload: (() => void) | null = null;
  #reloading: Promise<void> | null = null;
  #isClosed = false;

  constructor(options: BrokerParts, release: () => Promise<void>) {
    this.#options = options;
    this.#release = release;
  }

  open(): void {
    const { bus, logger } = this.#options;
    this.#unsubscribe = bus.subscribe(ordersChannel, ({ id }) => void this.#add(id));
    this.#unsubscribe.catch((error: unknown) => logger.warn({ err: error }, 'new orders are not heard of at once'));
    this.#reload();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelReload?.();
    for (const line of this.#lines.values()) line.stop();
    this.#lines.clear();
    await this.#reloading;
    await Promise.all(this.#filling);
    await (
      await this.#unsubscribe?.catch(() => null)
    )?.();
    await this.#release();
  }

  async #add(id: string): Promise<void> {
    try {
      const order = await this.#options.book.findOpen(id);
      if (order !== null) this.#keep(order as Waiting);
    } catch (error) {
      this.#options.logger.debug({ err: error, orderId: id }, 'a new order is read later');
    }
  }

  /** What was missed on the bus is found, and what is cancelled forgotten. */
  #reload(): void {
    const { timers, logger } = this.#options;
    // One that comes while they are read need not be among them.
    const known = [...this.#lines.values()].flatMap((line) => [...line.orders.values()]);
    const again = (delayMs: number): void => {
      this.#reloading = null;
      if (!this.#isClosed) this.#cancelReload = timers.after(delayMs, () => this.#reload());
    };
    this.#reloading = this.#options.book.listOpen().then(
      (orders) => {
        const ids = new Set(orders.map(({ id }) => id));
        for (const order of known) if (!ids.has(order.id)) this.#forget(order);
        for (const order of orders) this.#keep(order as Waiting);
        again(RELOAD_MS);
      },
      (error: unknown) => {
        logger.debug({ err: error }, 'the open orders are read later');
        again(RETRY_MS);
      },
    );
  }

  #keep(order: Waiting): void {
    if (this.#isClosed) return;
    const { symbol } = order;
    let line = this.#lines.get(symbol);
    if (line === undefined) {
      const opened: Line = { orders: new Map(), stop: () => {}, quote: null };
      this.#lines.set(symbol, (line = opened));
      opened.stop = this.#options.follow(symbol, (quote) => {
        opened.quote = quote;
        this.#work(opened);
      });
    }
    if (line.orders.has(order.id)) return;
    line.orders.set(order.id, order);
    this.#work(line);
  }

  #forget({ id, symbol }: Waiting): void {
    const line = this.#lines.get(symbol);
    if (line === undefined || !line.orders.delete(id) || line.orders.size > 0) return;
    line.stop();
    this.#lines.delete(symbol);
  }

  #work({ orders, quote }: Line): void {
    if (quote === null || quote.stale || !this.#options.isMarketOpen()) return;
    for (const order of orders.values()) {
      if (isReached(order, quote)) this.#fill(order);
    }
  }

  #fill(order: Waiting): void {
    // Not twice at once; where it fails it comes back with the next reading.
    this.#forget(order);
    const filling: Promise<void> = this.#options.book
      .fill(order, order.limitPrice)
      .catch((error: unknown) => {
        this.#options.logger.warn({ err: error, orderId: order.id }, 'an order is filled later');
      })
      .finally(() => this.#filling.delete(filling));
    this.#filling.add(filling);
  }
}

/** What it costs to buy, or brings to sell, right now; `null` where nobody offers it. */
function oppositeOf(quote: Quote, side: OrderSide): Decimal | null {
  const price = side === 'BUY' ? quote.ask : quote.bid;
  return price === null || price <= 0 ? null : decimalOfPrice(price);
}

function isWithin(price: Decimal, side: OrderSide, limit: Decimal): boolean {
  return side === 'BUY' ? price.lte(limit) : price.gte(limit);
}

function isReached({ side, limitPrice }: Waiting, quote: Quote): boolean {
  const offered = oppositeOf(quote, side);
  if (offered !== null && isWithin(offered, side, limitPrice)) return true;
  const last = decimalOfPrice(quote.price);
  return side === 'BUY' ? last.lt(limitPrice) : last.gt(limitPrice);
}
