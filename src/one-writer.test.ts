import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordingLogger } from '../test/recording-logger.ts';
import { startRedis, type TestRedis } from '../test/redis.ts';
import { fetchJson, startMain, TEST_API_KEY, type TapeqlProcess } from '../test/tapeql.ts';
import { makeWireTrade } from '../test/wire-samples.ts';
import type { Bus } from './bus/bus.ts';
import { createRedisBus } from './bus/redis.ts';
import { type Simulator, startSimulator } from './feeds/simulator/simulator.ts';
import { until } from '../test/until.ts';

const SYMBOLS = ['AAPL', 'MSFT'];

/** Three ingest processes over one Redis and one exchange, which prints all the time. The tests follow upon each other. */
describe('of three ingest processes', () => {
  let redis: TestRedis;
  let client: Redis;
  let reader: Bus;
  let simulator: Simulator;
  const processes = new Set<TapeqlProcess>();
  /** Those that are stopped by a signal: their sockets stay open, as those of a dead host would. */
  const stopped = new Set<TapeqlProcess>();
  const printed = new Map<string, string[]>(SYMBOLS.map((symbol) => [symbol, []]));
  let printing: NodeJS.Timeout;
  let mostConnections = 0;

  beforeAll(async () => {
    [redis, simulator] = await Promise.all([
      startRedis(),
      // More than one, so that a second connection is seen and not refused.
      startSimulator({ tape: false, maxConnectionsPerKey: 10 }),
    ]);
    client = new Redis(redis.url);
    client.on('error', () => {});
    reader = createRedisBus({ url: redis.url, historyMs: 600_000, logger: recordingLogger().logger });
    simulator.events.on('connected', () => {
      mostConnections = Math.max(mostConnections, countConnections() - stopped.size);
    });
    await until(() => expect(reader.readState().connected).toBe(true));
    await reader.setDemand('api', new Map(SYMBOLS.map((symbol) => [symbol, 1])));
    const started = await Promise.all(Array.from({ length: 3 }, startIngest));
    for (const process of started) processes.add(process);
    await until(() => expect(listWatchers()).toHaveLength(1));
    printing = setInterval(() => {
      for (const symbol of SYMBOLS) {
        const trade = makeWireTrade(symbol);
        printed.get(symbol)!.push(String(trade['i']));
        simulator.push([trade]);
      }
    }, 10);
    await until(async () => expect((await readIds('AAPL')).length).toBeGreaterThan(3));
  });
  afterAll(async () => {
    clearInterval(printing);
    for (const process of processes) await process[Symbol.asyncDispose]();
    await reader?.close();
    client?.disconnect();
    await simulator?.close();
    await redis?.stop();
  });

  const startIngest = (): Promise<TapeqlProcess> =>
    startMain({
      ROLE: 'ingest',
      PORT: '0',
      REDIS_URL: redis.url,
      FEED: 'simulated',
      POLYGON_API_KEY: TEST_API_KEY,
      POLYGON_WS_URL: simulator.wsUrl,
      POLYGON_REST_URL: simulator.restUrl,
    });
  const countConnections = (): number =>
    simulator.readStats().connections.filter(({ cluster }) => cluster === 'stocks').length;
  const listWatchers = () => simulator.readStats().connections.filter(({ pairs }) => pairs.includes('T.AAPL'));
  const readStats = async ({ url }: TapeqlProcess) => (await fetchJson(`${url}/stats`))['ingest'];
  const readLog = (symbol: string) => reader.readHistory({ kind: 'trade', symbol }, { after: 0 });
  /** The upstream's own ids: ours have the exchange before them. */
  const readIds = async (symbol: string) => (await readLog(symbol)).map(({ id }) => id.split('-').at(-1)!);

  async function findWriter(): Promise<TapeqlProcess> {
    const writers: TapeqlProcess[] = [];
    for (const process of processes) {
      if (!stopped.has(process) && (await readStats(process)).isWriter === 1) writers.push(process);
    }
    expect(writers).toHaveLength(1);
    return writers[0]!;
  }
  const awaitWriter = (): Promise<TapeqlProcess> => until(findWriter);

  /** What was printed so far is in the log: each once, in order, without a hole and without a gap that is told. */
  async function checkLog(): Promise<void> {
    for (const symbol of SYMBOLS) {
      const newest = printed.get(symbol)!.at(-1);
      await until(async () => expect(await readIds(symbol)).toContain(newest));
      const log = await readLog(symbol);
      const ids = await readIds(symbol);
      const first = printed.get(symbol)!.indexOf(ids[0]!);
      expect(ids).toEqual(printed.get(symbol)!.slice(first, first + ids.length));
      expect(log.map(({ sequence }) => sequence)).toEqual(log.map((_, index) => log[0]!.sequence + index));
      expect(log.filter(({ gapBefore }) => gapBefore)).toEqual([]);
      const offsets = log.map(({ offset }) => offset);
      expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
    }
    expect(mostConnections).toBe(1);
  }

  it('another takes over at once when the writer ends in order', async () => {
    const writer = await findWriter();
    processes.delete(writer);
    const readHolder = (): Promise<string | null> => client.get('ingest:lease');
    const holder = await readHolder();
    // Without an end of its own: another one can have it only because the writer gives it back.
    await client.persist('ingest:lease');
    writer.child.kill('SIGTERM');
    await until(async () => expect([null, holder]).not.toContain(await readHolder()));
    expect((await writer.exited).status).toBe(0);
    expect(await readStats(await awaitWriter())).toMatchObject({ leaseTakeovers: 1 });
    await checkLog();
  });

  it('one that was stopped beyond its lease writes nothing when it goes on, and stands by', async () => {
    const writer = await findWriter();
    writer.child.kill('SIGSTOP');
    stopped.add(writer);
    // What time would do.
    await client.pexpire('ingest:lease', 1);
    await awaitWriter();
    await checkLog();
    writer.child.kill('SIGCONT');
    const readStopped = (): Promise<unknown> => readStats(writer);
    await until(async () => expect(await readStopped()).toMatchObject({ isWriter: 0, leaseLosses: 1 }));
    stopped.delete(writer);
    await until(() => expect(countConnections()).toBe(1));
    await checkLog();
  });

  it('one of them is the writer after Redis came back empty', async () => {
    await redis.restart();
    await until(() => expect(reader.readState().connected).toBe(true));
    await reader.renewDemand('api', new Map(SYMBOLS.map((symbol) => [symbol, 1])));
    await until(async () => expect((await readIds('AAPL')).length).toBeGreaterThan(3));
    await awaitWriter();
    await checkLog();
  });

  it('another takes over when the writer is killed', async () => {
    const writer = await findWriter();
    writer.child.kill('SIGKILL');
    processes.delete(writer);
    await writer.exited;
    await awaitWriter();
    await checkLog();
    await expect.poll(() => client.smembers('subscriptions:active')).toEqual(expect.arrayContaining(SYMBOLS));
  });
});
