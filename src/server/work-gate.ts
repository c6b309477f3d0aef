import type { IncomingMessage, ServerResponse } from 'node:http';
import { readCredentials } from '../access/credentials.ts';
import type { Spender, WorkBudget, WorkTransport } from '../access/work-budget.ts';
import { backgroundTimers } from '../delivery/background-timers.ts';
import { ERROR_CODES, type ErrorCode } from '../errors.ts';
import type { Session, Sessions } from './sessions.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

export type WorkGateOptions = {
  readonly budget: WorkBudget;
  readonly sessions: Pick<Sessions, 'open'>;
  readonly readAddress: (request: IncomingMessage) => string;
  readonly allowedOrigins: readonly string[];
};

/** A request waits so long for its turn: below what clients and proxies wait for an answer. */
const MAX_WAIT_MS = 2000;
/** Requests of one account that wait at a time, each with its socket and what has arrived of its body, 64 KiB at the most. */
const MAX_WAITING = 10;
const MESSAGE = 'Too much CPU time was spent on new documents and long answers: wait, and send values as variables.';
/** Credentials that hold good for nobody were verified all the same. */
const VERIFICATION_MS = 0.2;

/**
 * Lets a request in before anything of it is read, by what its account has spent: a user, where credentials are known to be good, or
 * an address. Who has spent too much waits, and is refused where that would take too long, or too many wait already.
 */
export class WorkGate {
  readonly #options: WorkGateOptions;
  readonly #spenders = new WeakMap<IncomingMessage, Spender>();
  readonly #sessions = new WeakMap<IncomingMessage, Session | Promise<Session>>();
  /** By account, how many requests wait. */
  readonly #waiting = new Map<string, number>();

  constructor(options: WorkGateOptions) {
    this.#options = options;
  }

  spenderOf(request: IncomingMessage): Spender | null {
    return this.#spenders.get(request) ?? null;
  }

  /** Who sends it, or, as a rejection, what is wrong with its credentials; `undefined`: it has none, or is no operation. */
  sessionOf(request: IncomingMessage): Session | Promise<Session> | undefined {
    return this.#sessions.get(request);
  }

  /** Calls `next` for what is let in. */
  guard(next: Handler): Handler {
    return (request, response) => {
      if (!isOperation(request)) return next(request, response);
      const account = this.#identify(request);
      return typeof account === 'string'
        ? this.#admit(account, request, response, next)
        : account.then((known) => this.#admit(known, request, response, next));
    };
  }

  #identify(request: IncomingMessage): string | Promise<string> {
    const { budget, sessions, readAddress } = this.#options;
    const credentials = readCredentials((name) => request.headers[name]);
    const address = `address ${readAddress(request)}`;
    if (credentials === null) return address;
    const opened = sessions.open(credentials);
    if (opened === null) return address;
    // Verified once, also where they turn out to be bad.
    this.#sessions.set(request, opened);
    const name = (session: Session): string => `user ${session.userId}`;
    if (!(opened instanceof Promise)) return name(opened);
    return opened.then(name, () => {
      // What is wrong with them is told where the operation begins.
      budget.openRequest(address).charge(VERIFICATION_MS);
      return address;
    });
  }

  #admit(account: string, request: IncomingMessage, response: ServerResponse, next: Handler): unknown {
    const spender = this.#options.budget.openRequest(account);
    this.#spenders.set(request, spender);
    return spender.waitMs === 0
      ? next(request, response)
      : this.#slowDown({ account, spender, request, response }, () => next(request, response));
  }

  async #slowDown(waiting: Waiting, next: () => unknown): Promise<void> {
    const { account, spender, request, response } = waiting;
    const others = this.#waiting.get(account) ?? 0;
    if (others >= MAX_WAITING || spender.waitMs > MAX_WAIT_MS) {
      this.#refuse(waiting);
      return;
    }
    this.#options.budget.noteSlowed(transportOf(request));
    this.#waiting.set(account, others + 1);
    try {
      const endsAt = backgroundTimers.now() + MAX_WAIT_MS;
      // Others of this account may be let in before.
      for (let waitMs = spender.waitMs; waitMs > 0; waitMs = spender.waitMs) {
        const leftMs = endsAt - backgroundTimers.now();
        if (leftMs <= 0) {
          this.#refuse(waiting);
          return;
        }
        await this.#wait(Math.min(waitMs, leftMs), response);
        if (response.destroyed) return;
      }
    } finally {
      const left = this.#waiting.get(account)! - 1;
      if (left === 0) this.#waiting.delete(account);
      else this.#waiting.set(account, left);
    }
    await next();
  }

  /** Ends when the client leaves as well. */
  #wait(delayMs: number, response: ServerResponse): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        response.off('close', end);
        resolve();
      };
      const cancel = backgroundTimers.after(delayMs, end);
      response.once('close', end);
    });
  }

  #refuse({ spender, request, response }: Waiting): void {
    const transport = transportOf(request);
    this.#options.budget.noteRefused(transport);
    const retryAfterMs = Math.max(1, Math.ceil(spender.waitMs));
    // Written here, without an error and its stack: whoever is refused a thousand times may cost little each time.
    const code: ErrorCode = 'RATE_LIMITED';
    const result = JSON.stringify({ errors: [{ message: MESSAGE, extensions: { code, retryAfterMs } }] });
    const { origin, accept = '' } = request.headers;
    const body = transport === 'sse' ? `event: next\ndata: ${result}\n\nevent: complete\ndata:\n\n` : result;
    response.writeHead(ERROR_CODES.RATE_LIMITED.httpStatus, {
      'content-type': transport === 'sse' ? 'text/event-stream' : mediaTypeOf(accept),
      'content-length': Buffer.byteLength(body),
      'retry-after': String(Math.ceil(retryAfterMs / 1000)),
      ...(origin !== undefined &&
        this.#options.allowedOrigins.includes(origin) && { 'access-control-allow-origin': origin }),
    });
    response.end(body);
  }
}

type Waiting = {
  readonly account: string;
  readonly spender: Spender;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
};

/** The question of a browser whether it may ask is none. How a parameter is written ("%71uery") is not looked at. */
function isOperation({ method, url = '' }: IncomingMessage): boolean {
  return method === 'POST' || (method === 'GET' && url.includes('?'));
}

function transportOf({ headers }: IncomingMessage): WorkTransport {
  return headers.accept?.includes('text/event-stream') === true ? 'sse' : 'http';
}

function mediaTypeOf(accept: string): string {
  const type = accept.includes('application/graphql-response+json')
    ? 'application/graphql-response+json'
    : 'application/json';
  return `${type}; charset=utf-8`;
}
