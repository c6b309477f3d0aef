import { LRUCache } from 'lru-cache';

/** So much work at once, and so much a second from then on, in milliseconds of CPU time. */
export type WorkLimit = { readonly burstMs: number; readonly msPerSecond: number };

export type WorkLimits = {
  /** Of one WebSocket connection. */
  readonly connection: WorkLimit;
  /** Of one user, for anonymous clients of one address, over all transports. */
  readonly account: WorkLimit;
  /** Of an account as well: how fast it may use what it has at once. */
  readonly pace: WorkLimit;
  /** Of all together. */
  readonly all: WorkLimit;
};

/**
 * Work is what no other limit counts: a message, a document that is not known yet, a long answer. The 21 documents of the dashboard take
 * at most 37 ms where nobody has sent them before, and its start with 50 subscriptions of 500 symbols takes 2 ms from then on: a connection may
 * do several times that at once. Someone who writes a new small document for each of the 10 operations a second that RATE_LIMITS allows
 * takes about 5 ms a second, half of what a connection may. One attacker so takes 1 % of a core, and 2 % with several connections, of which
 * the 99th percentile of others sees little. What may be done at once is done at a tenth of the time, so that
 * the requests of others do not queue up behind it. All together take a fifth of a core, so that the rest is left for deliveries and for known documents.
 */
export const WORK_LIMITS: WorkLimits = {
  connection: { burstMs: 100, msPerSecond: 10 },
  account: { burstMs: 200, msPerSecond: 20 },
  pace: { burstMs: 25, msPerSecond: 100 },
  all: { burstMs: 1000, msPerSecond: 200 },
};

/** Where all together do too much, those wait who have done more than this part of what each of them may do at once. */
const MODEST_PART = 1 / 10;
/** So many accounts are remembered; one that is forgotten has done nothing. */
const MAX_ACCOUNTS = 50_000;
/** The shortest wait: a timer takes no less. */
const MIN_WAIT_MS = 1;

/** How much was done lately: it grows with the work and falls by the limit's milliseconds a second. */
class Meter {
  readonly #limit: WorkLimit;
  readonly #now: () => number;
  #levelMs = 0;
  #readAt = 0;

  constructor(limit: WorkLimit, now: () => number) {
    this.#limit = limit;
    this.#now = now;
  }

  get levelMs(): number {
    const now = this.#now();
    if (this.#levelMs > 0) {
      this.#levelMs = Math.max(0, this.#levelMs - ((now - this.#readAt) * this.#limit.msPerSecond) / 1000);
    }
    this.#readAt = now;
    return this.#levelMs;
  }

  get waitMs(): number {
    const overMs = this.levelMs - this.#limit.burstMs;
    return overMs <= 0 ? 0 : Math.max(MIN_WAIT_MS, (overMs * 1000) / this.#limit.msPerSecond);
  }

  isBelow(part: number): boolean {
    return this.levelMs <= part * this.#limit.burstMs;
  }

  add(ms: number): void {
    this.#levelMs = this.levelMs + ms;
  }
}

/** Whoever spends CPU time: a WebSocket connection, or a request. */
export type Spender = {
  /** Counts work that was done, for the connection, for its account, and for all. */
  charge(ms: number): void;
  /** How long it has to wait until it may go on; 0: not at all. */
  readonly waitMs: number;
  /** It has done less than half of what it may do at once: what was before is forgiven. */
  readonly isRested: boolean;
  /** From here on it spends for this user. */
  account: string;
};

export type WorkTransport = 'websocket' | 'sse' | 'http';

export type WorkBudgetOptions = {
  /** Default {@link WORK_LIMITS}. */
  readonly limits?: WorkLimits;
  /** Milliseconds of a clock that never jumps. Default: the machine's. */
  readonly now?: () => number;
};

/**
 * The CPU time that clients may have, beside the number of their operations: a client that sends documents which nobody has sent before
 * costs as much with a few of them as others do with thousands. Who has done too much waits, and is refused in the end. Each process
 * counts for itself. A level falls all the time, so that only what is above the rate adds up.
 */
export class WorkBudget {
  readonly #limits: WorkLimits;
  readonly #now: () => number;
  readonly #accounts = new LRUCache<string, { readonly sum: Meter; readonly pace: Meter }>({ max: MAX_ACCOUNTS });
  readonly #all: Meter;
  readonly #counts = { slowed: { websocket: 0, sse: 0, http: 0 }, refused: { websocket: 0, sse: 0, http: 0 } };
  #workedMs = 0;

  constructor({ limits = WORK_LIMITS, now = () => performance.now() }: WorkBudgetOptions = {}) {
    this.#limits = limits;
    this.#now = now;
    this.#all = new Meter(limits.all, now);
  }

  /** A connection, with a limit of its own. */
  openConnection(account: string): Spender {
    return new AccountSpender(this, account, new Meter(this.#limits.connection, this.#now));
  }

  /** A request, which is over after one operation. */
  openRequest(account: string): Spender {
    return new AccountSpender(this, account, null);
  }

  noteSlowed(transport: WorkTransport): void {
    this.#counts.slowed[transport]++;
  }

  noteRefused(transport: WorkTransport): void {
    this.#counts.refused[transport]++;
  }

  readStats() {
    const { slowed, refused } = this.#counts;
    return { workedMs: this.#workedMs, slowed: { ...slowed }, refused: { ...refused }, accounts: this.#accounts.size };
  }

  /** Called by spenders. */
  charge(account: string, ms: number): void {
    let meters = this.#accounts.get(account);
    if (meters === undefined) {
      const { account: sum, pace } = this.#limits;
      meters = { sum: new Meter(sum, this.#now), pace: new Meter(pace, this.#now) };
      this.#accounts.set(account, meters);
    }
    meters.sum.add(ms);
    meters.pace.add(ms);
    this.#all.add(ms);
    this.#workedMs += ms;
  }

  /** Called by spenders. */
  readWaitMs(account: string): number {
    const meters = this.#accounts.get(account);
    if (meters === undefined) return 0;
    const waitMs = Math.max(meters.sum.waitMs, meters.pace.waitMs);
    return meters.sum.isBelow(MODEST_PART) ? waitMs : Math.max(waitMs, this.#all.waitMs);
  }

  /** Called by spenders. */
  isRested(account: string): boolean {
    return this.#accounts.get(account)?.sum.isBelow(1 / 2) ?? true;
  }
}

class AccountSpender implements Spender {
  readonly #budget: WorkBudget;
  /** `null`: it has no limit of its own. */
  readonly #own: Meter | null;
  account: string;

  constructor(budget: WorkBudget, account: string, own: Meter | null) {
    this.#budget = budget;
    this.account = account;
    this.#own = own;
  }

  charge(ms: number): void {
    this.#own?.add(ms);
    this.#budget.charge(this.account, ms);
  }

  get waitMs(): number {
    return Math.max(this.#own?.waitMs ?? 0, this.#budget.readWaitMs(this.account));
  }

  get isRested(): boolean {
    return (this.#own?.isBelow(1 / 2) ?? true) && this.#budget.isRested(this.account);
  }
}
