import type { Ending, Execution } from './broker.ts';
import { decimal, type Decimal } from './decimal.ts';
import type { Order } from './order.ts';

/*
 * What Alpaca's messages mean; nothing else knows its names of things. The facts are those of its public documentation:
 * https://docs.alpaca.markets/docs/orders-at-alpaca, /docs/working-with-orders, /docs/websocket-streaming and
 * /docs/account-activities.
 */

/** An order as Alpaca shows it. */
export type AlpacaOrder = {
  /** Alpaca's name of it. */
  readonly id: string;
  /** What we have named it. */
  readonly clientOrderId: string;
  readonly status: string;
  readonly filledQuantity: Decimal;
  /** As it was written: the cursor of lists of orders. */
  readonly submittedAt: string;
};

/** A message of the stream `trade_updates`. */
export type AlpacaUpdate = { readonly order: AlpacaOrder; readonly execution: Execution | null };

/** A message that is not what the documentation says. */
export class AlpacaMessageError extends Error {
  override readonly name = 'AlpacaMessageError';
}

/** So that orders of ours are known among others of the same account. At most 48 characters are allowed. */
const OWN = 'tapeql-';

export function nameOf(orderId: string): string {
  return OWN + orderId;
}

/** The ledger's id of an order; `null` where it is not one of ours. */
export function ownIdOf({ clientOrderId }: AlpacaOrder): string | null {
  const match = /^tapeql-([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})$/.exec(clientOrderId);
  return match?.[1] ?? null;
}

/**
 * The body of `POST /v2/orders`. A buy at market goes out with a limit, for it may cost no more than is kept back for it: Alpaca
 * promises no bound for what a market order costs. A fraction of a share is only taken for the day, whole ones wait until they
 * are filled or cancelled.
 */
export function describeOrder({ id, symbol, side, type, quantity, limitPrice, heldPrice }: Order): object {
  const limit = type === 'LIMIT' ? limitPrice : side === 'BUY' ? heldPrice : null;
  return {
    ...{ client_order_id: nameOf(id), symbol, qty: quantity.toFixed(), side: side.toLowerCase() },
    ...(limit === null ? { type: 'market' } : { type: 'limit', limit_price: limit.toFixed() }),
    time_in_force: type === 'LIMIT' && quantity.round(0).eq(quantity) ? 'gtc' : 'day',
  };
}

/**
 * How an order of this status has ended; `null`: it has not, or it is filled, which its executions say. What is `done_for_day`
 * goes on the next day, or expires.
 */
export function endingOf({ status }: AlpacaOrder): Ending | null {
  switch (status) {
    case 'canceled':
    case 'expired':
    case 'replaced':
      return { status: 'CANCELLED' };
    case 'rejected':
      return { status: 'REJECTED', reason: 'REJECTED_BY_BROKER' };
    default:
      return null;
  }
}

/** @throws {AlpacaMessageError} */
export function readOrder(body: unknown): AlpacaOrder {
  const order = fieldsOf(body, 'an order');
  return {
    id: textOf(order, 'id'),
    clientOrderId: textOf(order, 'client_order_id'),
    status: textOf(order, 'status'),
    filledQuantity: amountOf(order, 'filled_qty'),
    submittedAt: textOf(order, 'submitted_at'),
  };
}

/** @throws {AlpacaMessageError} */
export function readUpdate(data: unknown): AlpacaUpdate {
  const update = fieldsOf(data, 'an update');
  const order = readOrder(update['order']);
  const event = textOf(update, 'event');
  if (event !== 'fill' && event !== 'partial_fill') return { order, execution: null };
  return {
    order,
    execution: {
      id: textOf(update, 'execution_id'),
      quantity: amountOf(update, 'qty'),
      price: amountOf(update, 'price'),
      filledQuantity: order.filledQuantity,
    },
  };
}

export type AlpacaFill = { readonly orderId: string; readonly activityId: string; readonly execution: Execution };

/** An entry of `GET /v2/account/activities/FILL`. @throws {AlpacaMessageError} */
export function readFill(body: unknown): AlpacaFill {
  const fill = fieldsOf(body, 'an activity');
  const id = textOf(fill, 'id');
  return {
    orderId: textOf(fill, 'order_id'),
    activityId: id,
    execution: {
      id,
      quantity: amountOf(fill, 'qty'),
      price: amountOf(fill, 'price'),
      filledQuantity: amountOf(fill, 'cum_qty'),
    },
  };
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null) return value as Fields;
  throw new AlpacaMessageError(`Alpaca has sent something else than ${what}`);
}

function textOf(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === 'string' && value !== '') return value;
  throw new AlpacaMessageError(`Alpaca has sent no "${name}"`);
}

/** Alpaca writes amounts as texts. */
function amountOf(fields: Fields, name: string): Decimal {
  const value = fields[name];
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text === 'string' && /^\d+(\.\d+)?$/.test(text)) return decimal(text);
  throw new AlpacaMessageError(`Alpaca has sent no amount as "${name}"`);
}
