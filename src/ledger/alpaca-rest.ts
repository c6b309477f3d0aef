import type { Logger } from '../market/logger.ts';
import type { Timers } from '../market/timers.ts';
import { type AlpacaLimits, wait } from './alpaca-patience.ts';
import { type AlpacaOrder, describeOrder, nameOf, readFill, readOrder } from './alpaca-wire.ts';
import type { Execution } from './broker.ts';
import type { Order, Rejection } from './order.ts';

export type AlpacaAccess = {
  /** Of the trading API, without a path: `https://paper-api.alpaca.markets`. */
  readonly url: string;
  readonly keyId: string;
  readonly secretKey: string;
};

export type AlpacaRestOptions = AlpacaAccess & {
  readonly fetch: typeof globalThis.fetch;
  readonly limits: AlpacaLimits;
  readonly timers: Timers;
  /** Unix ms. */
  readonly now: () => number;
  readonly logger: Logger;
};

/** Alpaca could not be asked, or has not answered. */
export class AlpacaUnreachableError extends Error {
  override readonly name = 'AlpacaUnreachableError';
  /** Whether it may have done what it was asked all the same. */
  readonly isPerhapsDone: boolean;

  constructor(message: string, isPerhapsDone: boolean, cause?: unknown) {
    super(message, { cause });
    this.isPerhapsDone = isPerhapsDone;
  }
}

/** Alpaca has refused an order, for good. */
export class AlpacaRefusalError extends Error {
  override readonly name = 'AlpacaRefusalError';
  readonly reason: Rejection;

  constructor(message: string, reason: Rejection) {
    super(message);
    this.reason = reason;
  }
}

type Answer = { readonly status: number; readonly body: unknown };

/** The largest pages that Alpaca gives. */
const ORDERS_PAGE = 500;
const FILLS_PAGE = 100;
/** A wait where Alpaca says that there is one to make, and not how long. */
const RATE_WAIT_MS = 1_000;
/** Its clock and ours need not agree. */
const CLOCK_MARGIN_MS = 60_000;

/** Alpaca's trading API over HTTP. The key travels in headers, and is cut out of all that comes back. */
export class AlpacaRest {
  readonly #options: AlpacaRestOptions;
  readonly #closing = new AbortController();

  constructor(options: AlpacaRestOptions) {
    this.#options = options;
  }

  /** Aborted when it is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /**
   * Sends an order. Its name is unique at Alpaca: one that is there already is what this resolves with.
   * @throws {AlpacaRefusalError}
   */
  async submit(order: Order): Promise<AlpacaOrder> {
    const { status, body } = await this.#request('POST', '/v2/orders', describeOrder(order));
    if (status >= 200 && status < 300) return readOrder(body);
    const message = messageOf(body);
    if (/client_order_id must be unique/i.test(message)) {
      const known = await this.find(order.id);
      if (known !== null) return known;
      throw new AlpacaUnreachableError('an order is there and cannot be read yet', true);
    }
    throw new AlpacaRefusalError(this.#redact(`${status} ${message}`), reasonOf(status, body, message));
  }

  /** The order of ours with this id; `null` where Alpaca has none. */
  async find(orderId: string): Promise<AlpacaOrder | null> {
    const query = new URLSearchParams({ client_order_id: nameOf(orderId) });
    const answer = await this.#request('GET', `/v2/orders:by_client_order_id?${query.toString()}`);
    return answer.status === 404 ? null : readOrder(this.#expect(answer));
  }

  /** Asks to cancel the order of this name of Alpaca's; `false`: it is too late, or there is none. */
  async cancel(brokerOrderId: string): Promise<boolean> {
    const answer = await this.#request('DELETE', `/v2/orders/${encodeURIComponent(brokerOrderId)}`);
    if (answer.status === 404 || answer.status === 422) return false;
    this.#expect(answer);
    return true;
  }

  /** All that are open at Alpaca, those of others among them. */
  async listOpen(): Promise<AlpacaOrder[]> {
    const all: AlpacaOrder[] = [];
    for (let after = ''; ;) {
      const query = new URLSearchParams({ status: 'open', direction: 'asc', limit: String(ORDERS_PAGE) });
      if (after !== '') query.set('after', after);
      const page = listOf(this.#expect(await this.#request('GET', `/v2/orders?${query.toString()}`))).map(readOrder);
      all.push(...page);
      const last = page.at(-1);
      if (page.length < ORDERS_PAGE || last === undefined || last.submittedAt === after) return all;
      after = last.submittedAt;
    }
  }

  /** What was traded of an order of Alpaca's that is no older than `since`, in its order. */
  async listFills(brokerOrderId: string, since: number): Promise<Execution[]> {
    const fills: Execution[] = [];
    for (let token = ''; ;) {
      const query = new URLSearchParams({
        order_id: brokerOrderId,
        after: new Date(since - CLOCK_MARGIN_MS).toISOString(),
        direction: 'asc',
        page_size: String(FILLS_PAGE),
      });
      if (token !== '') query.set('page_token', token);
      const answer = await this.#request('GET', `/v2/account/activities/FILL?${query.toString()}`);
      const page = listOf(this.#expect(answer)).map(readFill);
      // That the list can be narrowed to one order is new: an older one has those of all.
      for (const { orderId, execution } of page) if (orderId === brokerOrderId) fills.push(execution);
      const last = page.at(-1);
      if (page.length < FILLS_PAGE || last === undefined || last.activityId === token) break;
      token = last.activityId;
    }
    // Fills of one millisecond are listed in any order.
    return fills.toSorted((a, b) => a.filledQuantity.cmp(b.filledQuantity));
  }

  /** Requests under way fail, and so do later ones. */
  close(): void {
    this.#closing.abort(new AlpacaUnreachableError('the connection to Alpaca was closed', true));
  }

  async #request(method: string, path: string, body?: object): Promise<Answer> {
    const { limits, timers } = this.#options;
    const deadline = timers.now() + limits.rateWaitMs;
    for (;;) {
      const response = await this.#try(method, path, body);
      if (response.status !== 429) return response;
      // Alpaca takes some 200 requests a minute for an account, and says when it takes more.
      if (timers.now() + response.waitMs > deadline) {
        throw new AlpacaUnreachableError('the rate limit of Alpaca is reached', false);
      }
      await wait(timers, response.waitMs, this.closing);
    }
  }

  async #try(method: string, path: string, body?: object): Promise<Answer & { readonly waitMs: number }> {
    const { url, keyId, secretKey, fetch, limits, now } = this.#options;
    this.closing.throwIfAborted();
    let status: number;
    let text: string;
    let waitMs: number;
    try {
      const response = await fetch(url + path, {
        method,
        headers: {
          'APCA-API-KEY-ID': keyId,
          'APCA-API-SECRET-KEY': secretKey,
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        // The key goes nowhere else.
        redirect: 'error',
        signal: AbortSignal.any([this.closing, AbortSignal.timeout(limits.timeoutMs)]),
      });
      status = response.status;
      waitMs = readWait(response.headers, now());
      text = await response.text();
    } catch (error) {
      this.closing.throwIfAborted();
      throw new AlpacaUnreachableError('Alpaca has not answered', true, error);
    }
    if (status === 408 || status >= 500) throw new AlpacaUnreachableError(`Alpaca has failed with ${status}`, true);
    return { status, waitMs, body: parse(text) };
  }

  /** The body of what has gone well. */
  #expect({ status, body }: Answer): unknown {
    if (status >= 200 && status < 300) return body;
    const message = this.#redact(`Alpaca does not take the request: ${status} ${messageOf(body)}`);
    if (isForbidden(status, body)) this.#options.logger.error({ status }, 'Alpaca refuses the key');
    throw new AlpacaUnreachableError(message, false);
  }

  #redact(text: string): string {
    const { keyId, secretKey } = this.#options;
    return text.replaceAll(secretKey, '[key]').replaceAll(keyId, '[key]');
  }
}

/** By `X-RateLimit-Reset`, in seconds of Unix time, or `Retry-After`. */
function readWait(headers: Headers, now: number): number {
  const reset = Number(headers.get('x-ratelimit-reset') ?? Number.NaN) * 1000 - now;
  const after = Number(headers.get('retry-after') ?? Number.NaN) * 1000;
  const waits = [reset, after].filter((ms) => Number.isFinite(ms));
  return waits.length === 0 ? RATE_WAIT_MS : Math.max(50, ...waits);
}

/** The key is not accepted: an order that is refused has a code of Alpaca's beside the status 403, this has none. */
function isForbidden(status: number, body: unknown): boolean {
  if (status === 401) return true;
  return status === 403 && !(typeof body === 'object' && body !== null && 'code' in body);
}

/**
 * Our word for why Alpaca has refused an order. 403 is "buying power or shares is not sufficient", but also what an account is
 * not allowed to do; 422 is an order that it does not understand, or a symbol that it does not trade. Only the texts tell them
 * apart.
 */
function reasonOf(status: number, body: unknown, message: string): Rejection {
  if (isForbidden(status, body)) return 'BROKER_UNAVAILABLE';
  if (/buying power|insufficient balance/i.test(message)) return 'INSUFFICIENT_FUNDS';
  if (/insufficient qty|not allowed to short|sell short/i.test(message)) return 'INSUFFICIENT_POSITION';
  if (/market (is )?closed|market hours/i.test(message)) return 'MARKET_CLOSED';
  return 'REJECTED_BY_BROKER';
}

const MAX_MESSAGE_LENGTH = 200;

function messageOf(body: unknown): string {
  const said = typeof body === 'object' && body !== null && 'message' in body ? body.message : '';
  return typeof said === 'string' ? said.slice(0, MAX_MESSAGE_LENGTH) : '';
}

function listOf(body: unknown): unknown[] {
  if (Array.isArray(body)) return body;
  throw new AlpacaUnreachableError('Alpaca has sent something else than a list', false);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
