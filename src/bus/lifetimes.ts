/** The latest quote of a symbol that nobody watches any more; how fresh it is, the cache judges by its own age. */
export const QUOTE_KEEP_MS = 24 * 60 * 60 * 1000;
/** Ingest tells its state every few seconds: one older than this is no state. */
export const STATUS_KEEP_MS = 60_000;
/** Totals of demand outlive their last renewal by this, so that a dead system leaves nothing behind. */
export const DEMAND_TOTAL_MS = 180_000;
export const DEMAND_TOTAL_RENEWAL_MS = 60_000;
