import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { FAULTS } from './faults.ts';
import type { FaultSwitches, FaultValue } from './faults.ts';
import type { Plans } from './plans.ts';
import { RestError, badRequest, notFound } from './rest-answer.ts';
import type { RestRequest } from './rest-answer.ts';
import { answerGrouped, answerOpenClose, answerPreviousDay, answerRange } from './rest-bars.ts';
import {
  answerConditions,
  answerExchanges,
  answerHolidays,
  answerMarketStatus,
  answerTickerDetails,
  answerTickerList,
} from './rest-reference.ts';
import { answerMovers, answerTicker, answerTickers, answerUniversal } from './rest-snapshot.ts';
import { answerLastQuote, answerLastTrade, answerQuotes, answerTrades } from './rest-ticks.ts';
import type { Tape } from './tape.ts';

const UPGRADE_PAGE = 'https://massive.com/pricing';
const MAX_CONTROL_BYTES = 65_536;
/** Bounds of what is counted and remembered; beyond them paths are counted together, and old pages are forgotten. */
const MAX_COUNTED_PATHS = 10_000;
const RATE_WINDOW_MS = 60_000;
const MAX_RATED_KEYS = 10_000;

const ROUTES: readonly (readonly [path: RegExp, answer: (request: RestRequest) => object])[] = [
  [/^\/v2\/snapshot\/locale\/us\/markets\/stocks\/tickers$/, answerTickers],
  [/^\/v2\/snapshot\/locale\/us\/markets\/stocks\/tickers\/([^/]+)$/, answerTicker],
  [/^\/v2\/snapshot\/locale\/us\/markets\/stocks\/(gainers|losers)$/, answerMovers],
  [/^\/v3\/snapshot$/, (request) => answerUniversal(request, false)],
  [/^\/v3\/snapshot\/indices$/, (request) => answerUniversal(request, true)],
  [/^\/v2\/aggs\/ticker\/([^/]+)\/prev$/, answerPreviousDay],
  [/^\/v2\/aggs\/ticker\/([^/]+)\/range\/([^/]+)\/([^/]+)\/([^/]+)\/([^/]+)$/, answerRange],
  [/^\/v2\/aggs\/grouped\/locale\/us\/market\/stocks\/([^/]+)$/, answerGrouped],
  [/^\/v1\/open-close\/([^/]+)\/([^/]+)$/, answerOpenClose],
  [/^\/v2\/last\/trade\/([^/]+)$/, answerLastTrade],
  [/^\/v2\/last\/nbbo\/([^/]+)$/, answerLastQuote],
  [/^\/v3\/trades\/([^/]+)$/, answerTrades],
  [/^\/v3\/quotes\/([^/]+)$/, answerQuotes],
  [/^\/v1\/marketstatus\/now$/, answerMarketStatus],
  [/^\/v1\/marketstatus\/upcoming$/, answerHolidays],
  [/^\/v3\/reference\/tickers$/, answerTickerList],
  [/^\/v3\/reference\/tickers\/([^/]+)$/, answerTickerDetails],
  [/^\/v3\/reference\/conditions$/, answerConditions],
  [/^\/v3\/reference\/exchanges$/, answerExchanges],
];

/** The REST side of the exchange, and the route by which faults are switched while it runs. */
export class RestServer {
  /** `http://host:port`, with which following pages begin. Set when the port is known. */
  origin = '';
  readonly #tape: Tape;
  readonly #plans: Plans;
  readonly #faults: FaultSwitches;
  readonly #clock: { now(): number };
  readonly #onRequest: (path: string, query: string, status: number) => void;
  readonly #counts = new Map<string, number>();
  readonly #rates = new Map<string, { since: number; count: number }>();
  readonly #delayed = new Set<NodeJS.Timeout>();

  constructor(options: {
    tape: Tape;
    plans: Plans;
    faults: FaultSwitches;
    clock: { now(): number };
    /** The query is without the key. */
    onRequest: (path: string, query: string, status: number) => void;
  }) {
    this.#tape = options.tape;
    this.#plans = options.plans;
    this.#faults = options.faults;
    this.#clock = options.clock;
    this.#onRequest = options.onRequest;
  }

  readCounts(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }

  close(): void {
    for (const timer of this.#delayed) clearTimeout(timer);
    this.#delayed.clear();
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    response.on('error', () => {});
    const url = URL.parse(request.url ?? '/', 'http://simulator');
    if (url === null) {
      this.#send(response, 400, { status: 'ERROR', error: 'not a URL' });
      return;
    }
    if (url.pathname === '/_control/fault') {
      this.#control(request, response, url);
      return;
    }
    request.resume();
    this.#count(url.pathname);
    const key = readKey(request, url);
    url.searchParams.delete('apiKey');
    const finish = (status: number, body: unknown, headers: Record<string, string> = {}): void => {
      this.#onRequest(url.pathname, url.search.slice(1), status);
      this.#send(response, status, body, headers);
    };
    const path = this.#faults.peek('rest-path');
    if (!this.#faults.any || (path !== null && !url.pathname.includes(String(path)))) {
      finish(...this.#answer(request, url, key));
      return;
    }
    if (this.#faults.use('rest-hang') !== null) {
      this.#onRequest(url.pathname, url.search.slice(1), 0);
      return;
    }
    const act = (): void => {
      const status = this.#faults.use('rest-status');
      if (status === null) {
        finish(...this.#answer(request, url, key));
        return;
      }
      const retryAfter = this.#faults.peek('rest-retry-after');
      const body = this.#faults.peek('rest-empty-body') === null ? refusal(Number(status)) : null;
      finish(Number(status), body, retryAfter === null ? {} : { 'retry-after': String(retryAfter) });
    };
    const latency = this.#faults.use('rest-latency');
    if (latency === null) {
      act();
      return;
    }
    const timer = setTimeout(() => {
      this.#delayed.delete(timer);
      act();
    }, Number(latency));
    this.#delayed.add(timer);
  }

  #answer(request: IncomingMessage, url: URL, key: string | null): [status: number, body: unknown] {
    const requestId = randomUUID().replaceAll('-', '');
    try {
      if (request.method !== 'GET') throw new RestError(405, { status: 'ERROR', error: 'Method not allowed' });
      this.#authorize(key);
      for (const [pattern, answer] of ROUTES) {
        const match = pattern.exec(url.pathname);
        if (match === null) continue;
        const body = answer(this.#read(url, match.slice(1)));
        return [200, Array.isArray(body) ? body : { ...body, request_id: requestId }];
      }
      throw notFound('Not found.');
    } catch (error) {
      if (error instanceof RestError) return [error.status, { ...error.body, request_id: requestId }];
      if (error instanceof URIError) return [400, { status: 'ERROR', request_id: requestId, error: 'not a path' }];
      return [500, { status: 'ERROR', request_id: requestId, error: `Internal error: ${String(error)}` }];
    }
  }

  #authorize(key: string | null): void {
    if (key === null || key === '') {
      throw new RestError(401, { status: 'ERROR', error: 'API Key was not provided' });
    }
    const plan = this.#plans.find(key);
    if (plan === null) throw new RestError(401, refusal(401)!);
    if (plan.rest === false) throw new RestError(403, refusal(403)!);
    if (plan.requestsPerMinute === undefined) return;
    const now = this.#clock.now();
    let rate = this.#rates.get(key);
    if (rate === undefined || now - rate.since >= RATE_WINDOW_MS) {
      if (this.#rates.size >= MAX_RATED_KEYS) this.#rates.clear();
      rate = { since: now, count: 0 };
      this.#rates.set(key, rate);
    }
    rate.count += 1;
    if (rate.count > plan.requestsPerMinute) throw new RestError(429, refusal(429)!);
  }

  #read(url: URL, parts: readonly string[]): RestRequest {
    const cursor = url.searchParams.get('cursor');
    const page = cursor === null ? { query: url.searchParams, position: null } : readCursor(cursor);
    return {
      tape: this.#tape,
      now: this.#clock.now(),
      parts: parts.map((part) => decodeURIComponent(part)),
      ...page,
      nextUrl: (position) => `${this.origin}${url.pathname}?cursor=${writeCursor(page.query, position)}`,
    };
  }

  #send(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
    if (response.destroyed) return;
    let text = body === null ? '' : JSON.stringify(body);
    if (this.#faults.any && this.#faults.use('rest-bad-json') !== null) text = text.slice(0, text.length / 2);
    response.writeHead(status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      ...headers,
    });
    response.end(text);
  }

  #count(path: string): void {
    const counted = this.#counts.has(path) || this.#counts.size < MAX_COUNTED_PATHS ? path : 'other';
    this.#counts.set(counted, (this.#counts.get(counted) ?? 0) + 1);
  }

  /**
   * `GET /_control/fault` lists what is on and what there is; `POST` with `{"name","value"?,"times"?}` switches one on;
   * `DELETE` with `?name=` switches one off, without it all. No key is needed: it listens on loopback alone.
   */
  #control(request: IncomingMessage, response: ServerResponse, url: URL): void {
    const report = (): void => this.#send(response, 200, { on: this.#faults.list(), known: FAULTS });
    const attempt = (action: () => void): void => {
      try {
        action();
        report();
      } catch (error) {
        this.#send(response, 400, { error: error instanceof RangeError ? error.message : 'not a fault' });
      }
    };
    if (request.method === 'GET') report();
    else if (request.method === 'DELETE') attempt(() => this.#faults.clear(url.searchParams.get('name') ?? undefined));
    else if (request.method === 'POST') {
      let text = '';
      request.setEncoding('utf8');
      request.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > MAX_CONTROL_BYTES) request.destroy();
      });
      request.on('end', () =>
        attempt(() => {
          const { name, value, times } = JSON.parse(text) as { name: string; value?: FaultValue; times?: number };
          this.#faults.set(name, value, times);
        }),
      );
    } else this.#send(response, 405, { error: 'Method not allowed' });
  }
}

function readKey(request: IncomingMessage, url: URL): string | null {
  const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '');
  return bearer?.[1] ?? url.searchParams.get('apiKey');
}

/** The body that goes with a status, as the vendor writes it. */
function refusal(status: number): Record<string, unknown> | null {
  if (status === 401) return { status: 'ERROR', error: 'Unknown API Key' };
  if (status === 403) {
    return {
      status: 'NOT_AUTHORIZED',
      message: `You are not entitled to this data. Please upgrade your plan at ${UPGRADE_PAGE}`,
    };
  }
  if (status === 404) return { status: 'NOT_FOUND', message: 'Data not found.' };
  if (status === 429) {
    return {
      status: 'ERROR',
      error:
        "You've exceeded the maximum requests per minute, please wait or upgrade your subscription to continue. " +
        UPGRADE_PAGE,
    };
  }
  return { status: 'ERROR', error: `Simulated status ${status}` };
}

function writeCursor(query: URLSearchParams, position: number): string {
  return Buffer.from(JSON.stringify([query.toString(), position])).toString('base64url');
}

function readCursor(cursor: string): { query: URLSearchParams; position: number } {
  try {
    const [query, position] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as [string, number];
    if (typeof query === 'string' && Number.isFinite(position)) return { query: new URLSearchParams(query), position };
  } catch {
    // Falls through to the error that says what is wrong.
  }
  throw badRequest('not a cursor of this server');
}
