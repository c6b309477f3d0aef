/** The latest quote of a symbol that nobody watches any more; how fresh it is, the cache judges by its own age. */
export const QUOTE_KEEP_MS = 24 * 60 * 60 * 1000;
/** Ingest tells its state every few seconds: one older than this is no state. */
export const STATUS_KEEP_MS = 60_000;
/** A pause that nobody has ended is forgotten after this. */
export const CONTROL_KEEP_MS = 7 * 24 * 60 * 60 * 1000;
/** Totals of demand outlive their last renewal by this, so that a dead system leaves nothing behind. */
export const DEMAND_TOTAL_MS = 180_000;
/** How often what expires or fills up in Redis is looked after: well within {@link DEMAND_TOTAL_MS}. */
export const UPKEEP_INTERVAL_MS = 60_000;
/** How long the newest entry of a log is kept for its numbering after the last append. */
export const LAST_ENTRY_MS = 7 * 24 * 60 * 60 * 1000;
/** How long a process's wants are believed without renewal. Renewed every 10 s, it survives one lost renewal. */
export const DEMAND_LEASE_MS = 25_000;
