/**
 * What an event costs in ingest, from the feed's events or its frames' text to the bus: CPU of this process, in µs.
 * `node bench/ingest.ts [seconds]`. Quotes and prints as the tape has them (tape-like shares), 500 symbols, frames of 8.
 */
import type { Bus } from '../src/bus/bus.ts';
import { createMemoryBus } from '../src/bus/memory.ts';
import { createRedisBus } from '../src/bus/redis.ts';
import type { Feed, FeedEvent, FeedListener } from '../src/feeds/feed.ts';
import { FrameDecoder } from '../src/feeds/polygon/frames.ts';
import { createIngest } from '../src/ingest/ingest.ts';
import { systemTimers } from '../src/market/timers.ts';
import type { Logger } from '../src/market/logger.ts';
import { SourceUnavailableError, type MarketDataSource } from '../src/market/source.ts';
import { findProgram, REDIS_SERVER } from '../test/programs.ts';
import { startRedis } from '../test/redis.ts';

const SYMBOLS = Array.from({ length: 500 }, (_, index) => `S${index}`);
const EVENTS_PER_FRAME = 8;
const FRAMES = 25_000;
const MAX_WAITING = 20_000;
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
};

type Round = { readonly name: string; readonly eventsPerSecond: number; readonly cpuMicros: number };

/** Feeds frames for some seconds, a turn of the event loop after each 100 of them, as a busy socket does. */
async function run(name: string, bus: Bus, take: (listener: FeedListener, frame: number) => void): Promise<Round> {
  const feed = new DirectFeed();
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
  await bus.setDemand('bench', new Map(SYMBOLS.map((symbol) => [symbol, 1])));
  await ingest.start();
  while (ingest.readStats()['symbols'] !== SYMBOLS.length) await new Promise((resolve) => setTimeout(resolve, 5));
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
if (findProgram(REDIS_SERVER) !== null) {
  const redis = await startRedis();
  rounds.push(await run('frame text to Redis', createRedisBus({ ...limits, url: redis.url }), takeText));
  await redis.stop();
}
for (const { name, eventsPerSecond, cpuMicros } of rounds) {
  console.log(
    `${name}: ${Math.round(eventsPerSecond).toLocaleString('en')} events/s, ${cpuMicros.toFixed(2)} CPU µs each`,
  );
}
process.exit(0);
