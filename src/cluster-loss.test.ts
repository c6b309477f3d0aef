import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BlockingFlush } from '../test/blocking-flush.ts';
import { RawWebSocket } from '../test/raw-web-socket.ts';
import { type ClusterNode, startRedisCluster, type TestRedisCluster } from '../test/redis-cluster.ts';
import { startTestTapeql, type TestTapeql } from '../test/tapeql.ts';
import { makeWireTrade } from '../test/wire-samples.ts';
import { LISTINGS } from './feeds/simulator/listings.ts';

const SYMBOLS_PER_MASTER = 3;
/** Five prints each time: as many as leave the machine time for the rest. */
const FLOW_INTERVAL_MS = 8;
const QUERY = `subscription ($symbols: [Symbol!]!, $after: Cursor) {
  trades(symbols: $symbols, after: $after) { symbol sequence price gapBefore }
}`;

/** A client that goes on from where it was, or from where it is told to. It holds what it gets against the guarantee. */
class Follower implements AsyncDisposable {
  readonly faults: string[] = [];
  readonly tolds: string[] = [];
  /** The print of the highest number that it got. Prints are numbered by their price. */
  newest = 0;
  received = 0;
  readonly #url: string;
  readonly #symbols: readonly string[];
  /** It leaves and comes back after so many prints. */
  readonly #stayFor: number;
  readonly #prints = new Set<number>();
  readonly #sequences = new Map<string, number>();
  #isTold = new Set<string>();
  #cursor: string | null = null;
  #socket: RawWebSocket | null = null;
  #isClosed = false;
  readonly #ended: Promise<void>;

  constructor(url: string, symbols: readonly string[], stayFor = Infinity) {
    this.#url = url;
    this.#symbols = symbols;
    this.#stayFor = stayFor;
    this.#ended = this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      await using socket = new RawWebSocket(this.#url);
      this.#socket = socket;
      try {
        await socket.opened;
        await socket.initialise();
        await this.#follow(socket);
      } catch (error) {
        if (!this.#isClosed) this.faults.push(String(error));
      }
    }
  }

  async #follow(socket: RawWebSocket): Promise<void> {
    socket.subscribe('t', QUERY, { symbols: this.#symbols, after: this.#cursor });
    for (let stayed = 0; stayed < this.#stayFor; stayed += 1) {
      const { type, payload } = await socket.next();
      const [error] = type === 'error' ? payload : (payload?.errors ?? []);
      if (error !== undefined) return this.#takeError(error);
      if (type !== 'next') return;
      this.#cursor = payload.extensions.cursor;
      this.#take(payload.data.trades);
    }
  }

  #takeError({ message, extensions }: { message: string; extensions: { code: string; oldestCursor?: string } }): void {
    if (extensions.code !== 'HISTORY_EXPIRED') this.faults.push(`${extensions.code}: ${message}`);
    this.tolds.push(message);
    this.#isTold = new Set(this.#symbols);
    this.#cursor = extensions.oldestCursor ?? null;
  }

  #take(print: { symbol: string; sequence: number; price: number; gapBefore: boolean }): void {
    const { symbol, sequence, price } = print;
    const last = this.#sequences.get(symbol);
    if (this.#prints.has(price)) this.faults.push(`${symbol} ${sequence} came twice`);
    if (last !== undefined && sequence <= last) this.faults.push(`${symbol} ${sequence} came after ${last}`);
    const isTold = this.#isTold.delete(symbol) || print.gapBefore;
    if (last !== undefined && sequence > last + 1 && !isTold) {
      this.faults.push(`${symbol} ${sequence} came after ${last}, and nothing was told`);
    }
    this.#prints.add(price);
    this.#sequences.set(symbol, sequence);
    this.newest = Math.max(this.newest, price);
    this.received += 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#socket?.socket.terminate();
    await this.#ended;
  }
}

/** How many prints a node has ever taken into the logs that it has now. */
async function countWritten({ redis }: ClusterNode): Promise<number> {
  let written = 0;
  for (const key of await redis.keys('history:{*}:trades')) {
    const info = (await redis.xinfo('STREAM', key)) as (string | number)[];
    written += Number(info[info.indexOf('entries-added') + 1]);
  }
  return written;
}

describe('a Redis Cluster that loses data while prints flow', () => {
  let cluster: TestRedisCluster;
  let symbols: string[];
  let stack: AsyncDisposableStack;
  let ingest: TestTapeql;
  let followers: Follower[];
  let printed: number;

  beforeAll(async () => {
    cluster = await startRedisCluster();
    const found = new Map<ClusterNode, string[]>();
    for (const { symbol } of LISTINGS) {
      const master = await cluster.masterOf(`{${symbol}}`);
      const own = found.get(master) ?? [];
      found.set(master, own.length < SYMBOLS_PER_MASTER ? [...own, symbol] : own);
      if ([...found.values()].flat().length === 3 * SYMBOLS_PER_MASTER) break;
    }
    symbols = [...found.values()].flat();
  });
  afterAll(() => cluster?.stop());

  beforeEach(async () => {
    await cluster.flush();
    stack = new AsyncDisposableStack();
    // However many clients are on their way back, what they want stays wanted, and is numbered on.
    const tuning = { demandLingerMs: 60_000 };
    ingest = stack.use(await startTestTapeql({ env: { REDIS_URL: cluster.url }, tuning }));
    const api = stack.use(await startTestTapeql({ env: { REDIS_URL: cluster.url, ROLE: 'api' } }));
    followers = [
      new Follower(ingest.webSocketUrl, symbols),
      new Follower(api.webSocketUrl, symbols),
      new Follower(api.webSocketUrl, symbols.slice(0, 5), 50),
      new Follower(api.webSocketUrl, symbols.slice(4), 333),
    ];
    for (const follower of followers) stack.use(follower);
    await ingest.untilWatched(symbols);
    printed = 0;
    const flow = setInterval(() => {
      ingest.simulator.push(
        Array.from({ length: 5 }, () => makeWireTrade(symbols[printed % symbols.length]!, { p: ++printed })),
      );
    }, FLOW_INTERVAL_MS);
    stack.defer(() => clearInterval(flow));
    await untilServed();
  });
  afterEach(() => stack?.disposeAsync());

  /** Every client has a print that was made after this was called, and some more. */
  async function untilServed(): Promise<void> {
    const from = printed + 200;
    await expect.poll(() => Math.min(...followers.map(({ newest }) => newest))).toBeGreaterThan(from);
  }

  function expectNothingSilent(): void {
    expect(followers.flatMap(({ faults }) => faults)).toEqual([]);
  }

  it('by one node being emptied after the other, in any order: told once, and nothing comes twice', async () => {
    const ports = (await cluster.masters()).map(({ port }) => port);
    // The writer waits for a tenth of a second before it takes a loss for whole; here it meets none before that.
    await using flush = await BlockingFlush.start();
    for (let round = 0; round < 6; round += 1) {
      const before = followers.map(({ tolds }) => tolds.length);
      flush.run([0, 1, 2].map((index) => ports[(round + index) % 3]!));
      await untilServed();
      expectNothingSilent();
      const times = followers.map(({ tolds }, index) => tolds.length - before[index]!);
      expect(times).toEqual([1, 1, 1, 1]);
    }
  });

  it('by nodes that are emptied one long after the other: each time it is told', async () => {
    for (const master of await cluster.masters()) {
      const before = followers.map(({ tolds }) => tolds.length);
      await master.redis.flushall();
      await untilServed();
      expectNothingSilent();
      for (const [index, { tolds }] of followers.entries()) expect(tolds.length).toBe(before[index]! + 1);
    }
  });

  it('by a master that dies together with its replica, both empty when they are back: it is told', async () => {
    for (const master of (await cluster.masters()).slice(1)) {
      const before = followers.map(({ tolds }) => tolds.length);
      await cluster.loseMaster(master);
      await untilServed();
      expectNothingSilent();
      for (const [index, { tolds }] of followers.entries()) expect(tolds.length).toBeGreaterThan(before[index]!);
    }
  });

  it('by a replica that takes over and lacks the newest prints: those are appended again, and nobody misses one', async () => {
    const [master] = await cluster.masters();
    const written = () => countWritten(master!);
    // The replica lacks some.
    const whileStale = async (): Promise<void> => {
      const before = await written();
      await expect.poll(written).toBeGreaterThan(before + 20);
    };
    await cluster.killMaster(master!, { whileStale });
    await untilServed();
    expectNothingSilent();
    expect(followers.flatMap(({ tolds }) => tolds)).toEqual([]);
    const { bus } = await ingest.readStats();
    expect(bus).toMatchObject({ logGapsLeft: 0 });
    expect(bus.logEntriesMended).toBeGreaterThan(0);
    await cluster.revive(master!);
  });
});
