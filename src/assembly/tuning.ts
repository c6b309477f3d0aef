import type { WorkLimits } from '../access/work-budget.ts';
import type { LogBounds } from '../delivery/log-stream.ts';
import type { UnreadBounds } from '../delivery/unread-bytes.ts';
import type { FeedLimits } from '../feeds/polygon/limits.ts';
import type { DatabasePatience } from '../ledger/database.ts';
import type { Timers } from '../market/timers.ts';

/** What no variable of the environment sets: where one is missing, the default of its part stands. */
export type Tuning = {
  readonly demandLingerMs?: number;
  readonly historyLagMs?: number;
  /** How long a start waits at most to learn whether market events are paused. */
  readonly pausePatienceMs?: number;
  readonly initTimeoutMs?: number;
  readonly pingIntervalMs?: number;
  readonly rateWindowSeconds?: number;
  readonly connectionLeaseMs?: number;
  /** The CPU time that clients may have. */
  readonly workLimits?: WorkLimits;
  /** How long the counts that processes share may take before each process counts for itself. */
  readonly countsDeadlineMs?: number;
  readonly jwksCooldownMs?: number;
  /** How long what was read of revocations is enough while the database is away. */
  readonly revocationGraceMs?: number;
  readonly httpTimeouts?: { readonly headersMs: number; readonly requestMs: number };
  /** How much clients may leave unread, and for how long. */
  readonly unreadBounds?: Partial<UnreadBounds>;
  readonly logBounds?: Partial<LogBounds>;
  /** Whether an embedded database that holds nothing yet is opened at the start. Default: where one process is the whole system. */
  readonly opensDatabaseAtStart?: boolean;
  readonly databasePatience?: Partial<DatabasePatience>;
  readonly feedLimits?: Partial<FeedLimits>;
  /** Where the page was built. */
  readonly dashboardFolder?: string;
  /** Unix ms. Default `Date.now`. */
  readonly clock?: () => number;
  /** By which ingest is found to be silent. Default: the machine's. */
  readonly statusTimers?: Timers;
  /** What decides when a connection is pinged, ended, or has taken too long to be initialised. Default: the machine's. */
  readonly connectionTimers?: Timers;
};
