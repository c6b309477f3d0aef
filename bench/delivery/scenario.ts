import type { Contestant } from './contestants.ts';
import type { Measurement, TestBed } from './test-bed.ts';

/** What a run has shown, by the names of the scenario's columns. `NaN`: it could not be told. */
export type Figures = Readonly<Record<string, number>>;

export type Column = {
  readonly key: string;
  readonly title: string;
  /** How many decimals are shown; default 0. A share is shown in percent. */
  readonly decimals?: number;
  readonly isShare?: boolean;
};

/** What the product is to reach, alone or against a peer of the same call. */
export type Goal = {
  readonly key: string;
  readonly sense: 'at most' | 'at least';
  readonly limit: number;
  /** The limit is a multiple of this one's figure. */
  readonly of?: Contestant;
};

export type RunOptions = {
  /** How long each measurement lasts. */
  readonly seconds: number;
  /** What the same contestant has shown in the round before; `null` in the first. */
  readonly before: Figures | null;
};

export type Scenario = {
  readonly name: string;
  readonly title: string;
  /** Who runs where nobody is named. */
  readonly contestants: readonly Contestant[];
  /** Who can be named at all; default everybody. */
  readonly possible?: readonly Contestant[];
  /** Fewer than the others where a round is long. */
  readonly rounds?: number;
  readonly seconds: number;
  readonly columns: readonly Column[];
  readonly goals: readonly Goal[];
  /** Throws a {@link SkippedError} where it cannot be run here. */
  run(bed: TestBed, contestant: Contestant, options: RunOptions): Promise<Figures>;
};

export class SkippedError extends Error {
  override readonly name = 'SkippedError';
}

/** With more than this taken from its core by others, a server has shown how it works beside them, not by itself. */
export const MAX_DISTURBANCE = 0.1;

/** The columns of a single measurement. */
export const MEASUREMENT_COLUMNS: readonly Column[] = [
  { key: 'cpuMicros', title: 'CPU µs a delivery', decimals: 1 },
  { key: 'inTime', title: 'delivered in time', isShare: true, decimals: 1 },
  { key: 'isExact', title: 'each client exactly its own', isShare: true },
  { key: 'p50', title: 'p50 ms', decimals: 1 },
  { key: 'p99', title: 'p99 ms', decimals: 1 },
  { key: 'serverLoad', title: 'server, of a core', isShare: true },
  { key: 'generatorLoad', title: 'generator', isShare: true },
  { key: 'loadCoreBusy', title: 'core of the load', isShare: true },
  { key: 'disturbance', title: 'others on the server’s core', isShare: true },
];

export function figuresOf(measured: Measurement): Figures {
  const { cpuMicros, p50, p99, serverLoad, generatorLoad, loadCoreBusy, disturbance, words } = measured;
  if (words.length > 0) console.error(`${measured.troubles} messages were no quotes: ${words.join(' | ')}`);
  return {
    cpuMicros,
    inTime: measured.deliveredInTime / measured.offered,
    isExact: measured.isExact && measured.troubles === 0 ? 1 : 0,
    p50,
    p99,
    serverLoad,
    generatorLoad,
    loadCoreBusy,
    disturbance,
  };
}
