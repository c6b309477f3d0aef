import type { Logger } from '../../market/logger.ts';
import type { FaultName, FaultValue } from './faults.ts';
import { LISTINGS } from './listings.ts';
import type { KeyPlan } from './plans.ts';

export type SimulatorOptions = {
  /** 0 (default): any free one. */
  readonly port?: number;
  /** Loopback only: the exchange has no protection against strangers. Default `127.0.0.1`. */
  readonly host?: '127.0.0.1' | '::1';
  /** Whole number; the same seed, options and starting time make the same tape. Default 1. */
  readonly seed?: number;
  /** The keys that are accepted, each with what it may do. Default: every key that is not empty may do everything. */
  readonly keys?: Readonly<Record<string, KeyPlan>>;
  /** How many stocks and funds trade, the most active ones. Default and at most: all of the listings (more than 500). */
  readonly symbols?: number;
  /** Trades and quotes a second on average over the whole tape, 1 to 100,000; default 2,000. Bars and index values come on top. */
  readonly eventsPerSecond?: number;
  /** `false`: nothing happens but what is pushed. Default true. */
  readonly tape?: boolean;
  /** Keeps the hours and holidays of New York. Default false: in session at any hour of any day. */
  readonly newYorkHours?: boolean;
  /** How long a connection may stay without a key. Default 10,000. */
  readonly authTimeoutMs?: number;
  /** Connections of one key per cluster, where its plan does not say. Default 1, as on individual plans. */
  readonly maxConnectionsPerKey?: number;
  /** Which connection ends when there is one too many. Default `oldest`. */
  readonly quotaVictim?: 'oldest' | 'newest';
  /** A connection with more unread bytes is cut. Default 16 MiB. */
  readonly maxBufferedBytes?: number;
  /** A frame holds the events of such a slice of time. 1 to 1,000, default 5. */
  readonly frameSliceMs?: number;
  /** Prints of all symbols together that /v3/trades can look back on. Default 262,144. */
  readonly printCapacity?: number;
  /** Faults from the start, as in {@link Simulator.setFault}. Default none. */
  readonly faults?: Readonly<Partial<Record<FaultName, FaultValue>>>;
  /** Unix ms. Default: the real time. A step of more than 5 s is leapt over: nothing is made up for it. */
  readonly clock?: { now(): number };
  /** Default: silent. Keys are never logged. */
  readonly logger?: Logger;
};

const SILENT: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child() {
    return this;
  },
};

/** The options that have a default, each with its value. */
export type Settings = Required<Omit<SimulatorOptions, 'keys' | 'faults'>>;

/** @throws {RangeError} that names every option out of its range */
export function readSettings(options: SimulatorOptions): Settings {
  const settings: Settings = {
    port: options.port ?? 0,
    host: options.host ?? '127.0.0.1',
    seed: options.seed ?? 1,
    symbols: options.symbols ?? LISTINGS.length,
    eventsPerSecond: options.eventsPerSecond ?? 2_000,
    tape: options.tape ?? true,
    newYorkHours: options.newYorkHours ?? false,
    authTimeoutMs: options.authTimeoutMs ?? 10_000,
    maxConnectionsPerKey: options.maxConnectionsPerKey ?? 1,
    quotaVictim: options.quotaVictim ?? 'oldest',
    maxBufferedBytes: options.maxBufferedBytes ?? 16 << 20,
    frameSliceMs: options.frameSliceMs ?? 5,
    printCapacity: options.printCapacity ?? 262_144,
    clock: options.clock ?? Date,
    logger: options.logger ?? SILENT,
  };
  const wrong = Object.entries({
    port: [settings.port, 0, 65_535],
    seed: [settings.seed, 0, Number.MAX_SAFE_INTEGER],
    symbols: [settings.symbols, 1, LISTINGS.length],
    eventsPerSecond: [settings.eventsPerSecond, 1, 100_000],
    authTimeoutMs: [settings.authTimeoutMs, 1, 3_600_000],
    maxConnectionsPerKey: [settings.maxConnectionsPerKey, 1, 1_000_000],
    maxBufferedBytes: [settings.maxBufferedBytes, 1, 2 ** 31],
    frameSliceMs: [settings.frameSliceMs, 1, 1_000],
    printCapacity: [settings.printCapacity, 1, 2 ** 24],
  } as const).filter(([, [value, min, max]]) => !(Number.isInteger(value) && value >= min && value <= max));
  if (wrong.length > 0) {
    const ranges = wrong.map(
      ([name, [value, min, max]]) => `${name} is ${value}, not a whole number of ${min} to ${max}`,
    );
    throw new RangeError(`simulator: ${ranges.join('; ')}`);
  }
  return settings;
}
