import { LRUCache } from 'lru-cache';
import { type IRateLimiterStoreOptions, RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import RateLimiterStoreAbstract from 'rate-limiter-flexible/lib/RateLimiterStoreAbstract.js';
import { ClientError } from '../errors.ts';

/** What is counted: subscribe operations by what they follow, orders, and all other operations. */
export const RATE_KINDS = ['portfolio', 'tradeNotifications', 'market', 'orders', 'http'] as const;
export type RateKind = (typeof RATE_KINDS)[number];

/** Counts that all processes have in common. */
export type SharedCounts = {
  /**
   * Adds to a count, which ends `ttlMs` after its first addition. Resolves with its value and the time that it still has; rejects,
   * within a fraction of a second, where the counts are out of reach.
   */
  add(key: string, amount: number, ttlMs: number): Promise<{ readonly total: number; readonly endsInMs: number }>;
};

export type RateLimitsOptions = {
  /** Per user and window, by kind. */
  readonly limits: Readonly<Record<RateKind, number>>;
  /** `null`: this process is alone. */
  readonly shared: SharedCounts | null;
  /** Default 60. */
  readonly windowSeconds?: number;
};

/** Where the shared counts are out of reach, an order is worth another try after this. */
const RETRY_CLOSED_MS = 1000;
/** So many users are remembered with what is known of their counts; of one that is forgotten the shared counts are asked. */
const MAX_TALLIES = 50_000;
/**
 * Of what a user still has, this part is granted before the shared count is told of it: of HTTP operations only, which are many
 * and cheap. So with several processes a user may have a little more of them, and no operation waits for a round trip.
 */
const UNTOLD_PART = 1 / 8;

/** What this process knows of one count. */
type Tally = { total: number; untold: number; endsAt: number };

/**
 * How often a user may do something. A window begins with the first operation and lasts a minute. Counts are shared where there
 * is Redis; while it is away each process counts for itself, and orders are refused.
 */
export class RateLimits {
  readonly #limits: RateLimitsOptions['limits'];
  readonly #limiters: Readonly<Record<RateKind, RateLimiterMemory | SharedRateLimiter>>;
  readonly #tallies = new LRUCache<string, Tally>({ max: MAX_TALLIES });

  constructor({ limits, shared, windowSeconds = 60 }: RateLimitsOptions) {
    this.#limits = limits;
    const create = (kind: RateKind): RateLimiterMemory | SharedRateLimiter => {
      const options = { keyPrefix: kind, points: limits[kind], duration: windowSeconds };
      const local = new RateLimiterMemory(options);
      if (shared === null) return local;
      return new SharedRateLimiter(shared, kind === 'orders' ? options : { ...options, insuranceLimiter: local });
    };
    this.#limiters = Object.fromEntries(RATE_KINDS.map((kind) => [kind, create(kind)])) as Record<
      RateKind,
      RateLimiterMemory | SharedRateLimiter
    >;
  }

  /**
   * Counts operations. Most are granted at once, without a promise.
   * @throws {ClientError} RATE_LIMITED, with `retryAfterMs`, at once or by the promise
   */
  consume(kind: RateKind, user: string, operations = 1): void | Promise<void> {
    const limit = this.#limits[kind];
    const key = `${kind} ${user}`;
    const tally = this.#tallies.get(key);
    if (tally === undefined || tally.endsAt <= performance.now()) return this.#ask(kind, user, operations, null);
    const left = limit - tally.total - tally.untold;
    if (left < operations) {
      // Nothing is asked for what is known to be refused: who goes on trying costs little.
      throw limited(kind, limit, tally.endsAt - performance.now());
    }
    if (kind === 'http' && tally.untold + operations <= left * UNTOLD_PART) {
      tally.untold += operations;
      return undefined;
    }
    return this.#ask(kind, user, operations, tally);
  }

  /**
   * Counts nothing.
   * @throws {ClientError} RATE_LIMITED where it is known that nothing is left
   */
  refuseSpent(kind: RateKind, user: string): void {
    const tally = this.#tallies.get(`${kind} ${user}`);
    if (tally === undefined) return;
    const leftMs = tally.endsAt - performance.now();
    if (leftMs > 0 && tally.total + tally.untold >= this.#limits[kind]) throw limited(kind, this.#limits[kind], leftMs);
  }

  async #ask(kind: RateKind, user: string, operations: number, tally: Tally | null): Promise<void> {
    const untold = tally?.untold ?? 0;
    if (tally !== null) tally.untold = 0;
    let result: RateLimiterRes;
    try {
      result = await this.#limiters[kind].consume(user, operations + untold);
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) {
        throw new ClientError(
          'RATE_LIMITED',
          'Orders cannot be counted now, and are not taken.',
          { retryAfterMs: RETRY_CLOSED_MS },
          refusal,
        );
      }
      this.#note(kind, user, refusal);
      throw limited(kind, this.#limits[kind], refusal.msBeforeNext);
    }
    this.#note(kind, user, result);
  }

  #note(kind: RateKind, user: string, { consumedPoints, msBeforeNext }: RateLimiterRes): void {
    const key = `${kind} ${user}`;
    const endsAt = performance.now() + msBeforeNext;
    const tally = this.#tallies.get(key);
    // Answers may come in another order than they were asked for: a count only rises, until it begins anew.
    if (tally === undefined || tally.endsAt <= performance.now()) {
      this.#tallies.set(key, { total: consumedPoints, untold: 0, endsAt });
    } else {
      tally.total = Math.max(tally.total, consumedPoints);
      tally.endsAt = endsAt;
    }
  }
}

const NAMES: Readonly<Record<RateKind, string>> = {
  portfolio: 'portfolio subscriptions',
  tradeNotifications: 'notification subscriptions',
  market: 'market data subscriptions',
  orders: 'orders',
  http: 'operations',
};

function limited(kind: RateKind, limit: number, endsInMs: number): ClientError {
  return new ClientError('RATE_LIMITED', `No more than ${limit} ${NAMES[kind]} a minute.`, {
    retryAfterMs: Math.max(1, Math.ceil(endsInMs)),
  });
}

/** rate-limiter-flexible over {@link SharedCounts}, which reach one Redis and a Cluster alike. */
class SharedRateLimiter extends RateLimiterStoreAbstract {
  readonly #counts: SharedCounts;

  constructor(counts: SharedCounts, options: Omit<IRateLimiterStoreOptions, 'storeClient'>) {
    super({ ...options, storeClient: counts });
    this.#counts = counts;
  }

  /** Called by the base class. */
  protected _upsert(key: string, points: number, durationMs: number): Promise<{ total: number; endsInMs: number }> {
    return this.#counts.add(key, points, durationMs);
  }

  /** Called by the base class. */
  protected _getRateLimiterRes(
    _key: string,
    changed: number,
    { total, endsInMs }: { readonly total: number; readonly endsInMs: number },
  ): RateLimiterRes {
    return new RateLimiterRes(Math.max(0, this.points - total), endsInMs, total, total === changed);
  }
}
