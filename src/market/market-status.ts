export type Session = 'PRE_MARKET' | 'REGULAR' | 'AFTER_HOURS' | 'OVERNIGHT' | 'CLOSED';

/** Times in Unix ms. */
export type MarketStatus = {
  /** Whether the regular session is on. */
  readonly isOpen: boolean;
  readonly session: Session;
  /** The next opening of a regular session after `timestamp`; `null` where the market never closes or it is not known. */
  readonly nextOpen: number | null;
  /** The end of the current regular session, or of the next one; `null` as above. */
  readonly nextClose: number | null;
  /** The name of the holiday that closes or shortens today, or `null`. */
  readonly holiday: string | null;
  readonly timestamp: number;
};

/** What the upstream says of now: it overrides the calendar, which knows no storm and no halt. */
export type UpstreamMarketStatus = {
  readonly market: 'open' | 'closed' | 'extended-hours';
  readonly earlyHours: boolean;
  readonly afterHours: boolean;
  /** Unix ms. */
  readonly serverTime: number;
  /** A market that never closes (the simulated one, unless it keeps New York hours). */
  readonly alwaysOpen: boolean;
};

/** One day on which the exchange is closed or closes early, as the upstream announces it. */
export type MarketHoliday = {
  /** `YYYY-MM-DD` in New York. */
  readonly date: string;
  readonly name: string;
  readonly status: 'closed' | 'early-close';
  /** Unix ms, for an early close. */
  readonly open: number | null;
  readonly close: number | null;
};
