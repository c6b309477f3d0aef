import type { LogEntry, LogKey } from './bus.ts';

/*
 * The names under which things are kept. Outside programs read those of the contract: `cache:*`, `subscriptions:*` and
 * `history:{SYMBOL}:trades`. The braces are literal: hash tags, which keep all of one symbol in one slot of a Cluster.
 */

export const quoteKey = (symbol: string): string => `cache:quote:{${symbol}}`;

export const demandTotalKey = (symbol: string): string => `subscriptions:count:{${symbol}}`;
export const activeSymbolsKey = 'subscriptions:active';

export const processDemandKey = (process: string): string => `demand:process:{${process}}`;
/** A sorted set: the processes that have stated demand, by the time (Unix ms) at which their lease ends. */
export const demandRegistryKey = 'demand:processes';

export const epochKey = 'history:epoch';
/** The lowest offset that trimming by age has left in the logs, of all writers so far. */
export const trimmedKey = '{history:epoch}:trimmed';
/** A sorted set: the symbols whose logs know a writer, by the time (Unix ms) at which they were last known to. */
export const loggedSymbolsKey = '{history:epoch}:symbols';
/** How far the log is complete over all nodes of a Cluster, and on which of them the writer has found it whole. */
export const completeKey = 'history:complete';
export const statusKey = 'market-data:status:last';
export const controlKey = 'market-data:control:last';

/** How often a user did something, since the first time in a window; named by both. */
export const rateKey = (name: string): string => `rate:{${name}}`;
/** A hash: how many connections of a user each process has. */
export const connectionCountsKey = (user: string): string => `connections:{${user}}`;
/** A sorted set: the processes that have connections, by the time (Unix ms) at which they count as dead. */
export const connectionProcessesKey = 'connections:processes';

/** The process that is the writer, for as long as its lease runs; beside it the token of the newest lease. */
export const leaseKey = 'ingest:lease';
export const leaseTokenKey = '{ingest:lease}:token';

/** Written every second by each process on each server: whether it takes writes. `index` leads to one server or another. */
export const writeProbeKey = (index: number): string => `bus:write-probe:{${index}}`;

/**
 * The token of the newest writer that is known to a symbol's logs and quote, so that what an older one writes is refused; then
 * a letter for each of its logs that exists (see {@link logLetter}).
 */
export const fenceKey = (symbol: string): string => `history:{${symbol}}:fence`;
export const statusFenceKey = '{market-data:status:last}:fence';

export function historyKey(log: LogKey): string {
  return log.kind === 'trade'
    ? `history:{${log.symbol}}:trades`
    : `history:{${log.symbol}}:bars:${log.interval === 'SECOND' ? 'second' : 'minute'}`;
}

/** By which a symbol's fence names a log. */
export function logLetter(log: LogKey): 't' | 's' | 'm' {
  if (log.kind === 'trade') return 't';
  return log.interval === 'SECOND' ? 's' : 'm';
}

/** All logs of a symbol. */
export const listLogs = (symbol: string): readonly LogKey[] => [
  { kind: 'trade', symbol },
  { kind: 'bar', symbol, interval: 'SECOND' },
  { kind: 'bar', symbol, interval: 'MINUTE' },
];

/** The log that an entry belongs to. */
export function logOf(entry: LogEntry): LogKey {
  return entry.kind === 'trade'
    ? { kind: 'trade', symbol: entry.symbol }
    : { kind: 'bar', symbol: entry.symbol, interval: entry.interval };
}
