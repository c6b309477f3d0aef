/* The whole way of a print: exchange, ingest, Redis, api, client; how old it is when it comes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { LISTINGS } from '../../src/feeds/simulator/listings.ts';
import { LOAD_CORE, readCoreTimes, readCpuSeconds } from '../load/cores.ts';
import { startExchange } from './contestants.ts';
import type { Scenario } from './scenario.ts';

const CLIENTS = 10_000;
const EVENTS_PER_SECOND = 5_000;
const SYMBOLS = LISTINGS.slice(0, 500).map(({ symbol }) => symbol);
const WATCHING = { symbols: SYMBOLS.length, watchlist: 1, names: SYMBOLS };
const WARM_UP_MS = 6_000;
const SAMPLE_EVERY = 4;

export const endToEnd: Scenario = {
  name: 'end-to-end',
  title: '10,000 clients, each on the prints of one of 500 symbols; 5,000 events/s at the exchange',
  contestants: ['tapeql'],
  possible: ['tapeql'],
  rounds: 1,
  seconds: 8,
  columns: [
    { key: 'perSecond', title: 'prints delivered a second' },
    { key: 'printP50', title: 'from the print: p50 ms', decimals: 1 },
    { key: 'printP99', title: 'from the print: p99 ms', decimals: 1 },
    { key: 'readP50', title: 'from ingest’s read of the frame: p50 ms', decimals: 1 },
    { key: 'readP99', title: 'from the read: p99 ms', decimals: 1 },
    { key: 'cpuMicros', title: 'CPU µs a delivery', decimals: 1 },
    { key: 'serverLoad', title: 'server, of a core', isShare: true },
    { key: 'loadCoreBusy', title: 'core of the load, exchange and ingest', isShare: true },
    { key: 'troubles', title: 'subscriptions ended, and other troubles' },
  ],
  goals: [
    { key: 'readP50', sense: 'at most', limit: 5 },
    { key: 'readP99', sense: 'at most', limit: 20 },
    { key: 'troubles', sense: 'at most', limit: 0 },
  ],
  run: async (bed, contestant, { seconds }) => {
    await bed.publisher.ask('prepare', { symbols: 0 });
    const exchange = await startExchange(bed.redis.url, {
      symbols: SYMBOLS.length,
      eventsPerSecond: EVENTS_PER_SECOND,
    });
    try {
      return await bed.run(
        contestant,
        0,
        async (arena) => {
          const { generator, server } = arena;
          await arena.open(CLIENTS / 2, WATCHING, { protocol: 'trades, by print' });
          await arena.open(CLIENTS / 2, WATCHING, { protocol: 'trades, by receipt', group: 'beside' });
          // The prints begin when all are there: a server that carries them is not asked to accept 10,000 clients meanwhile.
          exchange.startIngest();
          await sleep(WARM_UP_MS);
          await generator.ask('reset', { sampleEvery: SAMPLE_EVERY, group: 'beside' });
          await generator.ask('reset', { sampleEvery: SAMPLE_EVERY });
          const began = performance.now();
          const before = { cpu: readCpuSeconds(server.pid), core: readCoreTimes(LOAD_CORE) };
          await sleep(seconds * 1_000);
          const elapsed = (performance.now() - began) / 1_000;
          const cpu = readCpuSeconds(server.pid) - before.cpu;
          const busy = readCoreTimes(LOAD_CORE).busy - before.core.busy;
          const { messages, ages, troubles, words } = await generator.ask('read', undefined);
          if (words.length > 0) console.error(`troubles: ${words.join(' | ')}`);
          // Both halves watch the same symbols, so that one stands for both.
          const deliveries = 2 * messages;
          return {
            perSecond: deliveries / elapsed,
            printP50: ages.measured.p50,
            printP99: ages.measured.p99,
            readP50: ages.beside.p50,
            readP99: ages.beside.p99,
            cpuMicros: (cpu / deliveries) * 1e6,
            serverLoad: cpu / elapsed,
            loadCoreBusy: busy / elapsed,
            troubles,
          };
        },
        { env: exchange.env },
      );
    } finally {
      await exchange.stop();
    }
  },
};
