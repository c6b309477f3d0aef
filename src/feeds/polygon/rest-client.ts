import type { Logger } from '../../market/logger.ts';
import { SourceUnavailableError } from '../../market/source.ts';
import { describeNetworkFailure } from './network-failure.ts';
import type { Timers } from '../../market/timers.ts';

/** The patience of the REST client. */
export type RestLimits = {
  /** Of one try, to the last byte of the answer. */
  readonly timeoutMs: number;
  /** Of one request, the first try included. */
  readonly maxTries: number;
  /** Bound of the first wait between two tries; doubled with each further one. */
  readonly initialDelayMs: number;
  readonly maxDelayMs: number;
  /** Where the upstream asks for a longer wait, the request fails at once and says how long. */
  readonly maxRetryAfterMs: number;
  /** Requests under way at a time. */
  readonly maxConcurrency: number;
  /** Requests that wait for their turn; a further one fails at once. */
  readonly maxQueued: number;
  /** A longer answer is a failure. */
  readonly maxBodyBytes: number;
  /** Pages of one request that are followed. */
  readonly maxPages: number;
};

export const REST_LIMITS: RestLimits = {
  timeoutMs: 10_000,
  maxTries: 4,
  initialDelayMs: 250,
  maxDelayMs: 5000,
  maxRetryAfterMs: 10_000,
  maxConcurrency: 8,
  maxQueued: 1000,
  maxBodyBytes: 64 * 1024 * 1024,
  maxPages: 100,
};

export type RestClientOptions = {
  readonly baseUrl: string | (() => Promise<string>);
  readonly apiKey: string;
  readonly limits: RestLimits;
  readonly fetch: typeof globalThis.fetch;
  /** Unix ms, to read a `Retry-After` that is a date. */
  readonly clock: () => number;
  readonly timers: Timers;
  readonly random: () => number;
  readonly logger: Logger;
};

/** What one try came to. */
type Outcome =
  | { readonly kind: 'body'; readonly body: unknown }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'failure'; readonly error: SourceUnavailableError; readonly retryAfterMs: number | null };

/** What a caller is told to wait where the upstream itself said nothing. */
const RETRY_AFTER_MS = 1000;
const RATE_LIMIT_RETRY_AFTER_MS = 15_000;
const MAX_MESSAGE_LENGTH = 200;

/**
 * GET requests to the upstream. The key travels in a header, never in a URL, and is cut out of every text that comes
 * back. What may pass is tried again (429, 499, 5xx, a broken connection, an answer that is no JSON); what will not is
 * told at once. Every failure is a {@link SourceUnavailableError}, except that of the caller's own signal.
 */
export class RestClient {
  readonly #options: RestClientOptions;
  readonly #closing = new AbortController();
  #running = 0;
  readonly #queue: (() => void)[] = [];
  readonly #stats = { requests: 0, retries: 0, rateLimited: 0, failures: 0, pagesRefused: 0 };

  constructor(options: RestClientOptions) {
    this.#options = options;
  }

  /** The JSON of the answer; `null` where the upstream has nothing (404). `path` begins with a slash. */
  async get(path: string, signal?: AbortSignal): Promise<unknown> {
    return this.#getUrl((await this.#readBaseUrl()) + path, signal);
  }

  /**
   * The answers to `path` and to the pages that follow it. A next page is asked for only at the origin of the base URL,
   * since the key goes with it, and only once.
   */
  async *getPages(path: string, signal?: AbortSignal): AsyncGenerator<unknown, void, undefined> {
    const base = await this.#readBaseUrl();
    const seen = new Set<string>();
    let url: string | null = base + path;
    while (url !== null && seen.size < this.#options.limits.maxPages) {
      seen.add(url);
      const body = await this.#getUrl(url, signal);
      if (body === null) return;
      yield body;
      url = this.#readNextUrl(body, base, seen);
    }
  }

  readStats(): Readonly<Record<string, number>> {
    return { ...this.#stats, running: this.#running, queued: this.#queue.length };
  }

  /** Ends the requests under way; they fail, and so do later ones. */
  close(): void {
    this.#closing.abort(new SourceUnavailableError('the connection to the upstream was closed'));
  }

  async #readBaseUrl(): Promise<string> {
    const { baseUrl } = this.#options;
    try {
      const url = typeof baseUrl === 'string' ? baseUrl : await baseUrl();
      return url.replace(/\/+$/, '');
    } catch (cause) {
      if (cause instanceof SourceUnavailableError) throw cause;
      throw new SourceUnavailableError('the upstream is not running', { retryAfterMs: RETRY_AFTER_MS, cause });
    }
  }

  #readNextUrl(body: unknown, base: string, seen: ReadonlySet<string>): string | null {
    const next = typeof body === 'object' && body !== null && 'next_url' in body ? body.next_url : undefined;
    if (typeof next !== 'string' || next === '') return null;
    const url = URL.parse(next);
    if (url !== null && url.origin === new URL(base).origin && !seen.has(url.href)) return url.href;
    this.#stats.pagesRefused += 1;
    this.#options.logger.warn({ origin: url?.origin ?? null }, 'a next page of the upstream was not followed');
    return null;
  }

  async #getUrl(url: string, signal: AbortSignal | undefined): Promise<unknown> {
    const { limits, random } = this.#options;
    const ended = signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
    this.#stats.requests += 1;
    for (let tries = 1; ; tries += 1) {
      const outcome = await this.#inTurn(ended, () => this.#tryOnce(url, ended));
      if (outcome.kind === 'body') return outcome.body;
      if (outcome.kind === 'nothing') return null;
      const { error, retryAfterMs } = outcome;
      const isLast = tries >= limits.maxTries || retryAfterMs === null || retryAfterMs > limits.maxRetryAfterMs;
      if (isLast) {
        this.#stats.failures += 1;
        throw error;
      }
      this.#stats.retries += 1;
      const bound = Math.min(limits.maxDelayMs, limits.initialDelayMs * 2 ** (tries - 1));
      await this.#sleep(Math.max(retryAfterMs, random() * bound), ended);
    }
  }

  async #tryOnce(url: string, ended: AbortSignal): Promise<Outcome> {
    const { apiKey, fetch, limits, timers } = this.#options;
    const timeout = new AbortController();
    const cancelTimeout = timers.after(limits.timeoutMs, () => timeout.abort());
    try {
      const response = await fetch(url, {
        headers: { authorization: `Bearer ${apiKey}`, accept: 'application/json' },
        // The key goes with the request: nobody but the base URL says where to.
        redirect: 'error',
        signal: AbortSignal.any([ended, timeout.signal]),
      });
      const text = await readBody(response, limits.maxBodyBytes);
      return this.#judge(response, text);
    } catch (cause) {
      ended.throwIfAborted();
      const problem = timeout.signal.aborted
        ? `no answer within ${limits.timeoutMs} ms`
        : describeNetworkFailure(cause);
      return failure(this.#redact(`the upstream cannot be reached: ${problem}`), 0, RETRY_AFTER_MS, cause);
    } finally {
      cancelTimeout();
    }
  }

  #judge(response: Response, text: string): Outcome {
    const { status } = response;
    const body = parse(text);
    if (response.ok) {
      if (body === undefined) return failure('the answer of the upstream is no JSON', 0, RETRY_AFTER_MS);
      return { kind: 'body', body };
    }
    const said = this.#redact(readMessage(body));
    if (status === 404) return { kind: 'nothing' };
    if (status === 401) return failure(`the upstream refuses the API key${said}`, null, 0);
    if (status === 403) return failure(`the plan of the API key does not include this${said}`, null, 0);
    if (status === 429) {
      this.#stats.rateLimited += 1;
      const retryAfterMs = this.#readRetryAfter(response);
      return failure(`the upstream's limit of requests is reached${said}`, retryAfterMs, RATE_LIMIT_RETRY_AFTER_MS);
    }
    if (status === 499 || status >= 500) {
      return failure(`the upstream failed with ${status}${said}`, this.#readRetryAfter(response), RETRY_AFTER_MS);
    }
    return failure(`the upstream did not take the request, status ${status}${said}`, null, 0);
  }

  /** Seconds or a date, as HTTP has it; in ms, 0 where the answer does not say. */
  #readRetryAfter(response: Response): number {
    const text = response.headers.get('retry-after') ?? '0';
    const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - this.#options.clock();
    return Number.isFinite(ms) ? Math.max(0, ms) : 0;
  }

  /** Runs `work` once fewer than the allowed number run. A wait between two tries holds no place. */
  async #inTurn<T>(ended: AbortSignal, work: () => Promise<T>): Promise<T> {
    const { maxConcurrency, maxQueued } = this.#options.limits;
    ended.throwIfAborted();
    if (this.#running >= maxConcurrency) {
      if (this.#queue.length >= maxQueued) {
        this.#stats.failures += 1;
        throw new SourceUnavailableError('too many requests to the upstream are waiting', {
          retryAfterMs: RETRY_AFTER_MS,
        });
      }
      // A place is handed over: `running` stays as it is. One whose caller has gone meanwhile hands it on below.
      await new Promise<void>((resolve) => this.#queue.push(resolve));
    } else {
      this.#running += 1;
    }
    try {
      ended.throwIfAborted();
      return await work();
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  async #sleep(delayMs: number, ended: AbortSignal): Promise<void> {
    ended.throwIfAborted();
    return new Promise((resolve, reject) => {
      const cancel = this.#options.timers.after(delayMs, () => {
        ended.removeEventListener('abort', onAbort);
        resolve();
      });
      const onAbort = () => {
        cancel();
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- the caller's own reason, as fetch gives it
        reject(ended.reason);
      };
      ended.addEventListener('abort', onAbort, { once: true });
    });
  }

  #redact(text: string): string {
    const { apiKey } = this.#options;
    return apiKey === '' ? text : text.replaceAll(apiKey, '[key]');
  }
}

/**
 * `retryAfterMs`: the least wait before the next try, as the upstream asks for it, 0 where it does not; `null` where none
 * makes sense. `usualMs` is what the caller is told in place of 0.
 */
function failure(message: string, retryAfterMs: number | null, usualMs: number, cause?: unknown): Outcome {
  const told = retryAfterMs === 0 ? usualMs : retryAfterMs;
  return { kind: 'failure', error: new SourceUnavailableError(message, { retryAfterMs: told, cause }), retryAfterMs };
}

async function readBody(response: Response, maxBytes: number): Promise<string> {
  if (response.body === null) return '';
  const chunks: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop by a throw cancels the rest of the answer.
  for await (const chunk of response.body) {
    length += chunk.byteLength;
    if (length > maxBytes) throw new Error(`an answer of more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length).toString();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** What the upstream says of a failure: `error` or `message`, by the kind of failure. */
function readMessage(body: unknown): string {
  if (typeof body !== 'object' || body === null) return '';
  const said = 'message' in body ? body.message : 'error' in body ? body.error : undefined;
  return typeof said === 'string' && said !== '' ? `: ${said.slice(0, MAX_MESSAGE_LENGTH)}` : '';
}
