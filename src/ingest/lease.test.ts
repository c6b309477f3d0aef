import { describe, expect, onTestFinished, test } from 'vitest';
import { letRun, ManualTime } from '../../test/manual-time.ts';
import { overrideBus } from '../../test/override-bus.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import { ScriptedFeed, ScriptedSource } from '../../test/scripted-feed.ts';
import { writerChannel, WriterSupersededError, type Bus, type BusState, type WriterLease } from '../bus/bus.ts';
import { createMemoryBus } from '../bus/memory.ts';
import type { Trade } from '../market/trade.ts';
import { createIngest } from './ingest.ts';
import { createLeasedIngest, type LeasedIngest } from './lease.ts';

const NOON = Date.UTC(2026, 10, 20, 16);
const TTL_MS = 5_000;

/** The role as Redis keeps it, for processes of one test; out of reach while `away` says so. */
class ScriptedRole {
  readonly #time: ManualTime;
  holder: string | null = null;
  token = 0;
  #endsAt = 0;
  away: 'no' | 'rejects' | 'hangs' = 'no';
  readonly #hanging: (() => void)[] = [];
  readonly released: string[] = [];
  /** Who is told when the role is given up. */
  readonly listeners = new Set<() => void>();

  constructor(time: ManualTime) {
    this.#time = time;
  }

  /** What hangs is answered now. */
  answer(): void {
    this.away = 'no';
    for (const go of this.#hanging.splice(0)) go();
  }

  /** As Redis that lost its data. */
  forget(): void {
    this.holder = null;
  }

  get isHeld(): boolean {
    return this.holder !== null && this.#time.clock() < this.#endsAt;
  }

  async acquire(bus: Bus, process: string, ttlMs: number): Promise<WriterLease | null> {
    await this.#reach();
    if (this.isHeld && this.holder !== process) return null;
    const token = (this.token += 1);
    this.#hold(process, ttlMs);
    const guard = <T>(write: () => Promise<T>): Promise<T> =>
      token === this.token ? write() : Promise.reject(new WriterSupersededError());
    return {
      token,
      writer: {
        append: (entries) => guard(() => bus.append(entries)),
        publishQuotes: (quotes) => guard(() => bus.publishQuotes(quotes)),
        publishStatus: (status) => guard(() => bus.publishStatus(status)),
        publishDemandTotals: (totals) => guard(() => bus.publishDemandTotals(totals)),
        readLastEntries: (keys) => guard(() => bus.readLastEntries(keys)),
        openEpoch: () => guard(() => bus.openEpoch()),
      },
      renew: async () => {
        await this.#reach();
        if (token !== this.token) return false;
        this.#hold(process, ttlMs);
        return true;
      },
      release: async () => {
        await this.#reach();
        this.holder = null;
        this.released.push(process);
        for (const tell of this.listeners) tell();
      },
    };
  }

  #hold(process: string, ttlMs: number): void {
    this.holder = process;
    this.#endsAt = this.#time.clock() + ttlMs;
  }

  async #reach(): Promise<void> {
    if (this.away === 'rejects') throw new Error('Redis is away');
    if (this.away === 'hangs') await new Promise<void>((resolve) => void this.#hanging.push(resolve));
  }
}

type House = {
  readonly time: ManualTime;
  readonly role: ScriptedRole;
  readonly bus: Bus;
  readonly source: ScriptedSource;
};

function build(): House {
  const time = new ManualTime(NOON);
  const bus = createMemoryBus({ historyMs: 300_000, clock: time.clock, logger: recordingLogger().logger });
  return { time, role: new ScriptedRole(time), bus, source: new ScriptedSource() };
}

type Process = {
  readonly ingest: LeasedIngest;
  /** Those that were opened, the newest last. */
  readonly feeds: ScriptedFeed[];
  /** Every connection that is open now. */
  readonly open: Set<ScriptedFeed>;
  readonly roles: boolean[];
  readonly setConnected: (connected: boolean) => void;
  readonly emit: (...events: Trade[]) => void;
};

async function start({ time, role, bus, source }: House, name: string, connected = true): Promise<Process> {
  let state: BusState = { connected, reason: null };
  let tell: (state: BusState) => void = () => {};
  const own = overrideBus(bus, {
    readState: () => state,
    onState: (listener) => {
      const inner = tell;
      tell = (next) => {
        inner(next);
        listener(next);
      };
      return () => {};
    },
    subscribe: (channel, listener) => {
      if (channel.name !== writerChannel.name) return bus.subscribe(channel, listener);
      const hear = (): void => (listener as (message: object) => void)({ released: '' });
      role.listeners.add(hear);
      return Promise.resolve(async () => void role.listeners.delete(hear));
    },
    acquireWriter: (process, ttlMs) => role.acquire(bus, process, ttlMs),
  });
  const feeds: ScriptedFeed[] = [];
  const open = new Set<ScriptedFeed>();
  const roles: boolean[] = [];
  const { logger } = recordingLogger();
  const ingest = createLeasedIngest({
    bus: own,
    process: name,
    openFeed: () => {
      const feed = new ScriptedFeed();
      const { start: begin, close } = feed;
      feed.start = (listener) => {
        open.add(feed);
        begin.call(feed, listener);
      };
      feed.close = async () => {
        open.delete(feed);
        await close.call(feed);
      };
      feeds.push(feed);
      return feed;
    },
    openIngest: (feed, writer) =>
      createIngest({ feed, bus: own, writer, source, clock: time.clock, timers: time.timers, logger, indices: [] }),
    onRole: (isWriter) => roles.push(isWriter),
    timers: time.timers,
    logger,
  });
  onTestFinished(() => ingest.close());
  const starting = ingest.start();
  await time.advance(connected ? 10 : 2_000);
  await starting;
  return {
    ingest,
    feeds,
    open,
    roles,
    setConnected: (next) => {
      state = { connected: next, reason: null };
      tell(state);
    },
    emit: (...events) => feeds.at(-1)!.emit(...events),
  };
}

const isWriter = ({ ingest }: Process): boolean => ingest.readStats()['isWriter'] === 1;

function print(number: number): Trade {
  const timestamp = NOON + number;
  return {
    kind: 'trade',
    id: String(number),
    symbol: 'AAPL',
    price: 100,
    size: 10,
    exchange: 12,
    conditions: [],
    tape: 'C',
    offExchange: false,
    timestamp,
    receivedAt: timestamp,
  };
}

const readLog = async (bus: Bus): Promise<string[]> =>
  (await bus.readHistory({ kind: 'trade', symbol: 'AAPL' }, { last: 100 })).map(
    ({ id, sequence, gapBefore }) => `${sequence}:${gapBefore ? '!' : ''}${id}`,
  );

describe('of several processes', () => {
  test('one connects upstream and writes, the others stand by', async () => {
    const house = build();
    const [one, two] = [await start(house, 'one'), await start(house, 'two')];
    await house.time.advance(20_000);
    expect([isWriter(one), isWriter(two)]).toEqual([true, false]);
    expect([one.open.size, two.feeds.length]).toEqual([1, 0]);
    expect(one.roles).toEqual([true]);
    expect(one.ingest.readStats()).toMatchObject({ leaseTakeovers: 1, leaseLosses: 0 });
    expect(two.ingest.readFeedStats()).toEqual({});
  });

  test('another takes over at once when the writer ends in order, after it has written all', async () => {
    const house = build();
    const { bus, role, time, source } = house;
    const [one, two] = [await start(house, 'one'), await start(house, 'two')];
    await bus.setDemand('api-1', new Map([['AAPL', 1]]));
    await time.advance(10);
    one.emit(print(1), print(2));
    source.history = [print(1), print(2), print(3)];
    await one.ingest.close();
    expect(role.released).toEqual(['one']);
    await time.advance(10);
    expect([isWriter(two), two.open.size, one.open.size]).toEqual([true, 1, 0]);
    two.emit(print(4));
    source.history = [print(1), print(2), print(3), print(4)];
    await time.advance(1_000);
    expect(await readLog(bus)).toEqual(['1:1', '2:2', '3:3', '4:4']);
  });

  test('another takes over when the lease of a dead writer has ended', async () => {
    const house = build();
    const { time, role } = house;
    // One that was killed: it holds the role and does nothing.
    await role.acquire(house.bus, 'dead', TTL_MS);
    const two = await start(house, 'two');
    await time.advance(TTL_MS - 20);
    expect(isWriter(two)).toBe(false);
    await time.advance(520);
    expect(isWriter(two)).toBe(true);
  });
});

describe('a writer that cannot renew its lease', () => {
  test.each(['rejects', 'hangs'] as const)(
    'gives up its connection before the lease ends: the bus %s',
    async (away) => {
      const house = build();
      const { time, role } = house;
      const one = await start(house, 'one');
      await time.advance(10_000);
      role.away = away;
      const openWhileHeld: boolean[] = [];
      for (let step = 0; step < 60; step += 1) {
        await time.advance(100);
        openWhileHeld.push(one.open.size === 0 || role.isHeld);
      }
      expect(openWhileHeld).not.toContain(false);
      expect(one.open.size).toBe(0);
      expect(isWriter(one)).toBe(true);
      role.answer();
    },
  );

  test('connects again where nobody has come to the role meanwhile, and has lost nothing that it had', async () => {
    const house = build();
    const { bus, time, role, source } = house;
    const one = await start(house, 'one');
    await bus.setDemand('api-1', new Map([['AAPL', 1]]));
    await time.advance(10);
    one.emit(print(1));
    await time.advance(10);
    role.away = 'rejects';
    one.setConnected(false);
    one.emit(print(2));
    await time.advance(10_000);
    expect([one.open.size, await readLog(bus)]).toEqual([0, ['1:1']]);
    source.history = [print(1), print(2), print(3), print(4)];
    role.answer();
    role.forget();
    one.setConnected(true);
    await time.advance(100);
    expect([one.open.size, one.feeds.length, [...one.feeds[1]!.symbols]]).toEqual([1, 2, ['AAPL']]);
    one.emit(print(4));
    await time.advance(1_500);
    expect(await readLog(bus)).toEqual(['1:1', '2:2', '3:3', '4:4']);
    expect(one.ingest.readStats()).toMatchObject({ leaseTakeovers: 1, leaseLosses: 0 });
  });

  test('stands by where another has come to the role, and writes nothing of what waits', async () => {
    const house = build();
    const { bus, time, role } = house;
    const one = await start(house, 'one');
    await bus.setDemand('api-1', new Map([['AAPL', 1]]));
    await time.advance(10);
    one.emit(print(1));
    await time.advance(10);
    one.setConnected(false);
    one.emit(print(2));
    // As one that was stopped: nothing of it runs until another has the role.
    role.forget();
    const two = await role.acquire(bus, 'two', TTL_MS);
    one.setConnected(true);
    await letRun();
    await time.advance(1_000);
    expect(isWriter(one)).toBe(false);
    expect(one.roles).toEqual([true, false]);
    expect(one.open.size).toBe(0);
    expect(await readLog(bus)).toEqual(['1:1']);
    expect(one.ingest.readStats()).toMatchObject({ leaseTakeovers: 1, leaseLosses: 1 });
    await two!.release();
    await time.advance(500);
    expect(isWriter(one)).toBe(true);
  });
});

describe('when the bus comes back without the lease', () => {
  test('its holder finds back to it, before one that stands by asks', async () => {
    const house = build();
    const { time, role } = house;
    const [one, two] = [await start(house, 'one'), await start(house, 'two')];
    for (const process of [one, two]) process.setConnected(false);
    role.forget();
    two.setConnected(true);
    await time.advance(2_000);
    one.setConnected(true);
    await time.advance(5_000);
    expect([isWriter(one), isWriter(two), one.feeds.length]).toEqual([true, false, 1]);
  });

  test('one that stands by takes over where the holder is gone', async () => {
    const house = build();
    const { time, role } = house;
    await role.acquire(house.bus, 'dead', TTL_MS);
    const two = await start(house, 'two');
    two.setConnected(false);
    role.forget();
    two.setConnected(true);
    await time.advance(3_000);
    expect(isWriter(two)).toBe(true);
  });
});

test('a process that starts while the bus is away becomes the writer when it is there', async () => {
  const house = build();
  const one = await start(house, 'one', false);
  expect([isWriter(one), one.feeds.length]).toEqual([false, 0]);
  one.setConnected(true);
  await house.time.advance(10);
  expect([isWriter(one), one.open.size]).toEqual([true, 1]);
});

test('a process that ends while it asks for the role gives it up again', async () => {
  const house = build();
  const { role, time } = house;
  const one = await start(house, 'one', false);
  role.away = 'hangs';
  one.setConnected(true);
  await letRun();
  const closing = one.ingest.close();
  role.answer();
  await time.advance(1_000);
  await closing;
  expect([one.open.size, role.holder, role.released]).toEqual([0, null, ['one']]);
});
