/* The highest rate of deliveries that is sustained: everything arrives, and 99 of 100 within a quarter of a second. */
import { findHighestRate } from '../load/highest-rate.ts';
import { audienceOf, type Watching } from '../load/symbols.ts';
import { type Contestant, CONTESTANTS } from './contestants.ts';
import { type Figures, MAX_DISTURBANCE, type RunOptions, type Scenario } from './scenario.ts';
import type { Arena, Measurement, TestBed } from './test-bed.ts';

const MAX_P99_MS = 250;
/** More than this share still under way when the last is published: the queue grows. */
const MAX_BACKLOG = 0.04;
/** The publisher itself cannot keep the pace: what was tried is not what was meant. */
const MIN_PACE = 0.93;
const MIN_PER_SECOND = 500;
const MAX_PER_SECOND = 20_000_000;
const START_PER_SECOND = 16_000;
/** How far apart the rate that was sustained and the one that was not are in the end. */
const PRECISION = 1.1;
/** How long the backlog of a rate that was too high may take; a server with a longer one is started again. */
const RECOVERY_MS = 6_000;

type Attempt = Measurement & { readonly isSustained: boolean };

function judge(measured: Measurement, wished: number, audience: number): Attempt {
  const { offered, deliveredInTime, delivered, p99, eventsPerSecond, troubles } = measured;
  const isSustained =
    troubles === 0 &&
    delivered === offered &&
    deliveredInTime >= offered * (1 - MAX_BACKLOG) - audience &&
    p99 <= MAX_P99_MS &&
    eventsPerSecond >= wished * MIN_PACE;
  return { ...measured, isSustained };
}

async function search(
  bed: TestBed,
  contestant: Contestant,
  { clients, watching }: { readonly clients: number; readonly watching: Watching },
  { seconds, before }: RunOptions,
): Promise<Figures> {
  const audience = audienceOf(clients, watching);
  const known = before?.['perSecond'];
  let attempts = 0;
  let isPaceLost = false;
  const inOneServer = <T>(use: (arena: Arena) => Promise<T>): Promise<T> =>
    bed.run(contestant, watching.symbols, async (arena) => {
      await arena.open(clients, watching);
      await arena.settle();
      return use(arena);
    });
  // A server that has been overrun is left to its backlog: what is tried next begins with a fresh one.
  const stints = createStints(inOneServer);
  const attemptOnce = async (perSecond: number): Promise<Attempt> => {
    attempts += 1;
    const arena = await stints.enter();
    const wished = perSecond / audience;
    const measured = await arena.measure({ eventsPerSecond: wished, seconds }, RECOVERY_MS);
    const judged = judge(measured, wished, audience);
    if (!judged.isSustained && measured.eventsPerSecond < wished * MIN_PACE) isPaceLost = true;
    if (measured.delivered < measured.offered) await stints.leave();
    return judged;
  };
  // One step down for a moment's disturbance would spoil the search: such a rate gets a second chance.
  const attempt = async (perSecond: number): Promise<Attempt> => {
    const first = await attemptOnce(perSecond);
    return first.isSustained || first.disturbance <= MAX_DISTURBANCE ? first : attemptOnce(perSecond);
  };
  try {
    const found = await findHighestRate({
      start: known === undefined || Number.isNaN(known) || known === 0 ? START_PER_SECOND : known,
      factor: known === undefined ? 4 : 1.3,
      precision: PRECISION,
      min: MIN_PER_SECOND,
      max: MAX_PER_SECOND,
      attempt,
    });
    const trial = found?.trial;
    return {
      perSecond: trial?.offeredPerSecond ?? 0,
      p50: trial?.p50 ?? Number.NaN,
      p99: trial?.p99 ?? Number.NaN,
      cpuMicros: trial?.cpuMicros ?? Number.NaN,
      serverLoad: trial?.serverLoad ?? Number.NaN,
      generatorLoad: trial?.generatorLoad ?? Number.NaN,
      loadCoreBusy: trial?.loadCoreBusy ?? Number.NaN,
      disturbance: trial?.disturbance ?? Number.NaN,
      attempts,
      isPaceLost: isPaceLost ? 1 : 0,
    };
  } finally {
    await stints.leave();
  }
}

/** A server that is there when it is entered, until it is left. */
function createStints(inOneServer: (use: (arena: Arena) => Promise<void>) => Promise<void>) {
  let current: { readonly arena: Arena; end(): Promise<void> } | null = null;
  return {
    async enter(): Promise<Arena> {
      if (current !== null) return current.arena;
      const entered = Promise.withResolvers<Arena>();
      const left = Promise.withResolvers<void>();
      const stint = inOneServer((arena) => {
        entered.resolve(arena);
        return left.promise;
      });
      stint.catch(entered.reject);
      const arena = await entered.promise;
      current = {
        arena,
        end: () => {
          left.resolve();
          return stint;
        },
      };
      return arena;
    },
    async leave(): Promise<void> {
      const stint = current;
      current = null;
      await stint?.end();
    },
  };
}

const HIGHEST: Pick<Scenario, 'contestants' | 'seconds' | 'columns'> = {
  contestants: CONTESTANTS,
  seconds: 1.5,
  columns: [
    { key: 'perSecond', title: 'deliveries/s' },
    { key: 'p50', title: 'p50 ms', decimals: 1 },
    { key: 'p99', title: 'p99 ms', decimals: 1 },
    { key: 'cpuMicros', title: 'CPU µs a delivery', decimals: 2 },
    { key: 'serverLoad', title: 'server, of a core', isShare: true },
    { key: 'generatorLoad', title: 'generator', isShare: true },
    { key: 'loadCoreBusy', title: 'core of the load', isShare: true },
    { key: 'disturbance', title: 'others on the server’s core', isShare: true },
    { key: 'isPaceLost', title: 'ended by the load itself', isShare: true },
  ],
};

export const highestBroadcast: Scenario = {
  ...HIGHEST,
  name: 'S4',
  title: 'broadcast: 1,000 clients on 1 symbol, highest rate sustained with p99 ≤ 250 ms',
  goals: [
    { key: 'perSecond', sense: 'at least', limit: 1, of: 'pre-framed' },
    { key: 'perSecond', sense: 'at least', limit: 200, of: 'stock' },
  ],
  run: (bed, contestant, options) =>
    search(bed, contestant, { clients: 1_000, watching: { symbols: 1, watchlist: 1 } }, options),
};

export const highestWatchlists: Scenario = {
  ...HIGHEST,
  name: 'S7',
  title: 'watchlists: 2,000 clients × 20 of 500 symbols, highest rate sustained with p99 ≤ 250 ms',
  goals: [
    { key: 'perSecond', sense: 'at least', limit: 0.9, of: 'pre-framed' },
    { key: 'perSecond', sense: 'at least', limit: 90, of: 'stock' },
  ],
  run: (bed, contestant, options) =>
    search(bed, contestant, { clients: 2_000, watching: { symbols: 500, watchlist: 20 } }, options),
};
