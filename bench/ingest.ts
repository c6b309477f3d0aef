/**
 * What an event costs in ingest, from the feed's events, its frames' text or its socket to the bus: CPU of this process, in µs.
 * `node bench/ingest.ts [seconds]`. Quotes and prints as the tape has them (tape-like shares), 500 symbols; frames of 8, over the
 * socket those of the simulated exchange, said again by another process at a rate that rises until this one cannot keep up.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus } from '../src/bus/bus.ts';
import { createMemoryBus } from '../src/bus/memory.ts';
import { createRedisBus } from '../src/bus/redis.ts';
import type { Feed, FeedEvent, FeedListener } from '../src/feeds/feed.ts';
import { FrameDecoder } from '../src/feeds/polygon/frames.ts';
import { createPolygonFeed } from '../src/feeds/polygon/socket.ts';
import { LISTINGS } from '../src/feeds/simulator/listings.ts';
import { createIngest, type Ingest } from '../src/ingest/ingest.ts';
import { systemTimers } from '../src/market/timers.ts';
import type { Logger } from '../src/market/logger.ts';
import { SourceUnavailableError, type MarketDataSource } from '../src/market/source.ts';
import { findProgram, REDIS_SERVER } from '../test/programs.ts';
import { startRedis } from '../test/redis.ts';
import type { ExchangeNews, Pace } from './recorded-exchange.ts';

const SYMBOLS = Array.from({ length: 500 }, (_, index) => `S${index}`);
const EVENTS_PER_FRAME = 8;
const FRAMES = 25_000;
const MAX_WAITING = 20_000;
const FIRST_RATE = 50_000;
const RATE_STEP = 50_000;
const LAST_RATE = 600_000;
/** The whole US tape at the open is estimated at 150,000 to 300,000. */
const GOAL = 250_000;
const RENEW_MS = 10_000;
/** The compiler's. */
const WARM_UP_MS = 2_000;
const PRINT_SHARE = 0.45;
const CONDITIONS: readonly (readonly number[])[] = [[], [37], [14, 37, 41], [14, 41], [12, 37], [37]];

const seconds = Number(process.argv[2] ?? 5);

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

let state = 1;
/** A small generator of its own: the same run each time. */
function random(): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
}

/** The texts of so many frames, as the wire has them. */
function makeFrames(count: number, startedAt: number): string[] {
  let id = 0;
  return Array.from({ length: count }, (_, frame) => {
    const t = startedAt + Math.floor(frame / 5);
    const elements = Array.from({ length: EVENTS_PER_FRAME }, () => {
      // A few symbols have most of the events.
      const sym = SYMBOLS[Math.floor(random() ** 3 * SYMBOLS.length)]!;
      const p = 100 + Math.floor(random() * 200) / 100;
      if (random() >= PRINT_SHARE) {
        return { ev: 'Q', sym, bx: 12, ax: 11, bp: p, ap: p + 0.01, bs: 100, as: 200, t, pt: t, q: id, z: 3 };
      }
      id += 1;
      const c = CONDITIONS[Math.floor(random() * CONDITIONS.length)]!;
      const size = Math.ceil(random() * 200);
      const ds = `${size}.0`;
      return { ev: 'T', sym, i: String(id), x: 12, p, s: size, ds, c, t, pt: t, q: id, z: 3 };
    });
    return JSON.stringify(elements);
  });
}

class DirectFeed implements Feed {
  readonly name = 'SIMULATED';
  listener: FeedListener | null = null;

  start(listener: FeedListener): void {
    this.listener = listener;
    listener.onPrintFlow(true);
    listener.onIndexFlow(true);
    listener.onStatus({ feed: this.name, connected: true, reason: null });
  }

  subscribe(): void {}
  unsubscribe(): void {}
  readStats(): Readonly<Record<string, number>> {
    return {};
  }
  async close(): Promise<void> {}
}

const unavailable = async (): Promise<never> => {
  throw new SourceUnavailableError('the bench has none');
};
const source: MarketDataSource = {
  readQuotes: async () => new Map(),
  readPreviousClose: unavailable,
  readBars: unavailable,
  readTrades: unavailable,
  readMarketStatus: unavailable,
  readHolidays: unavailable,
  searchInstruments: unavailable,
};

type Round = { readonly name: string; readonly eventsPerSecond: number; readonly cpuMicros: number };

/** An ingest that has taken in all symbols. */
async function openIngest(feed: Feed, bus: Bus, symbols: readonly string[]): Promise<Ingest> {
  const ingest = createIngest({
    feed,
    bus,
    source,
    clock: Date.now,
    timers: systemTimers,
    logger: silent,
    indices: [],
  });
  while (!bus.readState().connected) await new Promise((resolve) => setTimeout(resolve, 5));
  const demand = new Map(symbols.map((symbol) => [symbol, 1]));
  await bus.setDemand('bench', demand);
  setInterval(() => void bus.renewDemand('bench', demand).catch(() => undefined), RENEW_MS).unref();
  await ingest.start();
  while (ingest.readStats()['symbols'] !== symbols.length) await new Promise((resolve) => setTimeout(resolve, 5));
  return ingest;
}

/** Feeds frames for some seconds, a turn of the event loop after each 100 of them, as a busy socket does. */
async function run(name: string, bus: Bus, take: (listener: FeedListener, frame: number) => void): Promise<Round> {
  const feed = new DirectFeed();
  const ingest = await openIngest(feed, bus, SYMBOLS);
  const startedAt = performance.now();
  const cpu = process.cpuUsage();
  let events = 0;
  for (let frame = 0; performance.now() - startedAt < seconds * 1_000; frame += 1) {
    take(feed.listener!, frame % FRAMES);
    events += EVENTS_PER_FRAME;
    if (frame % 100 < 99) continue;
    // No faster than the bus takes it: what is given up costs nothing.
    do await new Promise((resolve) => setImmediate(resolve));
    while (ingest.readStats()['entriesWaiting']! > MAX_WAITING);
  }
  const { user, system } = process.cpuUsage(cpu);
  const elapsed = (performance.now() - startedAt) / 1_000;
  const stats = ingest.readStats();
  await ingest.close();
  await bus.close();
  console.log(
    `${name}: ${stats['tradesAppended']} prints appended, ${stats['quotesPublished']} quotes published, ` +
      `${stats['eventsDuplicate']} duplicates, ${stats['entriesWaiting']} waiting`,
  );
  return { name, eventsPerSecond: events / elapsed, cpuMicros: (user + system) / events };
}

type Step = {
  readonly offered: number;
  readonly eventsPerSecond: number;
  readonly cpuMicros: number;
  /** Of a core. */
  readonly load: number;
  readonly waiting: number;
  readonly isSustained: boolean;
};

/** From the read of the socket to Redis, at rates that rise until ingest falls behind. */
async function climb(redisUrl: string): Promise<Step[]> {
  const exchange = fork(path.join(import.meta.dirname, 'recorded-exchange.ts'));
  const [news] = (await once(exchange, 'message')) as [ExchangeNews];
  if (!('url' in news)) throw new Error('the exchange did not say where it is');
  const bus = createRedisBus({ ...limits, url: redisUrl });
  const feed = createPolygonFeed({ url: news.url, apiKey: 'bench', name: 'SIMULATED', logger: silent });
  const symbols = LISTINGS.slice(0, SYMBOLS.length).map(({ symbol }) => symbol);
  const ingest = await openIngest(feed, bus, symbols);
  while (feed.readStats()['connected.stocks'] !== 1) await new Promise((resolve) => setTimeout(resolve, 5));
  await pace(exchange, FIRST_RATE);
  await sleep(WARM_UP_MS);
  const steps: Step[] = [];
  for (let rate = FIRST_RATE; steps.at(-1)?.isSustained !== false && rate <= LAST_RATE; rate += RATE_STEP) {
    let step = await measure(exchange, ingest, rate);
    // What else runs on the machine may have been in the way.
    if (!step.isSustained) {
      await pace(exchange, FIRST_RATE);
      await sleep(WARM_UP_MS);
      step = await measure(exchange, ingest, rate);
    }
    steps.push(step);
  }
  await ingest.close();
  await bus.close();
  exchange.disconnect();
  return steps;
}

async function measure(exchange: ChildProcess, ingest: Ingest, rate: number): Promise<Step> {
  await pace(exchange, rate);
  const before = ingest.readStats();
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  await sleep(seconds * 1_000);
  const { user, system } = process.cpuUsage(cpu);
  const elapsed = (performance.now() - startedAt) / 1_000;
  const after = ingest.readStats();
  const count = (name: string): number => after[name]! - before[name]!;
  const events = count('eventsTrade') + count('eventsBbo') + count('eventsBar');
  // The recording comes round again and again: a bar that says nothing new is no entry.
  const entries = count('eventsTrade') + count('eventsBar') - count('eventsDuplicate') - count('entriesWaiting');
  return {
    offered: rate,
    eventsPerSecond: Math.round(events / elapsed),
    cpuMicros: (user + system) / events,
    load: (user + system) / 1e6 / elapsed,
    waiting: after['entriesWaiting']!,
    isSustained:
      events / elapsed >= rate * 0.97 &&
      after['entriesWaiting']! < rate / 4 &&
      count('tradesAppended') + count('barsAppended') === entries,
  };
}

async function pace(exchange: ChildProcess, eventsPerSecond: number): Promise<void> {
  exchange.send({ eventsPerSecond } satisfies Pace);
  await once(exchange, 'message');
}

const texts = makeFrames(FRAMES, Date.now() - 10_000);
const decoder = new FrameDecoder();
const decoded = texts.map((text) => decoder.decode(text, Date.now()).events);
let prints = 0;
/** The same print twice is dropped as a duplicate: each round of the frames has ids of its own. */
function renew(events: readonly FeedEvent[]): readonly FeedEvent[] {
  return events.map((event) => (event.kind === 'trade' ? { ...event, id: `12:${(prints += 1)}` } : event));
}

const takeEvents = (listener: FeedListener, frame: number): void => listener.onEvents(renew(decoded[frame]!));
const takeText = (listener: FeedListener, frame: number): void => {
  listener.onEvents(renew(decoder.decode(texts[frame]!, Date.now()).events));
};
const limits = { historyMs: 5_000, maxHistoryEntriesPerLog: 2_000, logger: silent };

const rounds = [
  await run('events to the in-process bus', createMemoryBus(limits), takeEvents),
  await run('frame text to the in-process bus', createMemoryBus(limits), takeText),
];
let steps: Step[] = [];
if (findProgram(REDIS_SERVER) !== null) {
  const first = await startRedis();
  rounds.push(await run('frame text to Redis', createRedisBus({ ...limits, url: first.url }), takeText));
  await first.stop();
  await using second = await startRedis();
  steps = await climb(second.url);
}
console.table(
  rounds.map(({ name, eventsPerSecond, cpuMicros }) => ({
    'as fast as it goes': name,
    'events/s': Math.round(eventsPerSecond),
    'CPU µs an event': cpuMicros.toFixed(2),
  })),
);
console.table(
  steps.map((step) => ({
    'socket to Redis, offered/s': step.offered,
    'events/s': step.eventsPerSecond,
    'CPU µs an event': step.cpuMicros.toFixed(2),
    'of a core': `${Math.round(step.load * 100)} %`,
    'prints and bars waiting': step.waiting,
    sustained: step.isSustained,
  })),
);
const sustained = Math.max(0, ...steps.filter(({ isSustained }) => isSustained).map((step) => step.eventsPerSecond));
console.log(
  `highest sustained rate: ${sustained.toLocaleString('en')} events/s; the goal is ${GOAL.toLocaleString('en')}`,
);
process.exit(0);
