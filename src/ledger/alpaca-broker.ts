import { AlpacaClerk } from './alpaca-clerk.ts';
import { AlpacaDesk } from './alpaca-desk.ts';
import { ALPACA_LIMITS, type AlpacaLimits } from './alpaca-patience.ts';
import { type AlpacaAccess, AlpacaRest } from './alpaca-rest.ts';
import type { Answer, Broker, BrokerKind, BrokerParts } from './broker.ts';
import { decimal, decimalOfPrice, type Decimal } from './decimal.ts';
import { DeskRole } from './desk-role.ts';
import type { Order, OrderTicket } from './order.ts';

export type AlpacaOptions = AlpacaAccess & {
  readonly fetch: typeof globalThis.fetch;
  readonly limits?: Partial<AlpacaLimits>;
};

/** How far above the ask a buy at market may be filled. */
const COLLAR = decimal('1.05');
/** Alpaca refuses prices with more decimals: two from a dollar on, four below. */
const CENTS = 2;
const SUB_CENTS = 4;
const ROUND_UP = 3;

/**
 * Brings orders to Alpaca, all of them on one account there: which of our users owns what is the ledger's to know. An order is kept
 * as open before it is sent, under the name that Alpaca gets to know it by; what comes of it is booked as it is told. Any process
 * sends and cancels; one listens to Alpaca and looks after what is open.
 */
export class AlpacaBroker implements Broker {
  readonly #options: BrokerParts;
  readonly #rest: AlpacaRest;
  readonly #clerk: AlpacaClerk;
  readonly #role: DeskRole;

  constructor(parts: BrokerParts, { url, keyId, secretKey, fetch, ...options }: AlpacaOptions) {
    this.#options = parts;
    const { book, timers, now, logger } = parts;
    const limits = { ...ALPACA_LIMITS, ...options.limits };
    const access = { url, keyId, secretKey };
    const rest = new AlpacaRest({ ...access, fetch, limits, timers, now, logger });
    const clerk = new AlpacaClerk({ rest, book, limits, timers, logger });
    this.#rest = rest;
    this.#clerk = clerk;
    const open = (release: () => Promise<void>): AlpacaDesk => {
      const desk = new AlpacaDesk({
        ...{ clerk, rest, access, book, limits, timers, now, logger, release },
        random: Math.random,
      });
      desk.open();
      return desk;
    };
    this.#role = new DeskRole({ ...parts, open });
  }

  /** Nothing is traded whose price viewers cannot see, and nothing at market that would wait for the next session. */
  async answer({ symbol, side, type }: OrderTicket): Promise<Answer> {
    const { readQuote, isMarketOpen } = this.#options;
    const quote = await readQuote(symbol);
    if (quote === null) return { kind: 'reject', reason: 'NO_QUOTE' };
    if (type === 'LIMIT') return { kind: 'rest' };
    if (!isMarketOpen()) return { kind: 'reject', reason: 'MARKET_CLOSED' };
    const price = side === 'BUY' ? quote.ask : quote.bid;
    if (quote.stale || price === null || price <= 0) return { kind: 'reject', reason: 'NO_QUOTE' };
    const exact = decimalOfPrice(price);
    return { kind: 'rest', heldPrice: side === 'BUY' ? boundOf(exact) : exact };
  }

  send(order: Order): Promise<void> {
    return this.#clerk.send(order);
  }

  cancel(order: Order): Promise<void> {
    return this.#clerk.cancel(order);
  }

  start(): void {
    this.#role.start();
  }

  async close(): Promise<void> {
    this.#rest.close();
    await this.#role.close();
  }
}

export function alpacaBroker(options: AlpacaOptions): BrokerKind {
  return { name: 'alpaca', open: (parts) => new AlpacaBroker(parts, options) };
}

function boundOf(ask: Decimal): Decimal {
  const bound = ask.times(COLLAR);
  return bound.round(bound.gte(1) ? CENTS : SUB_CENTS, ROUND_UP);
}
