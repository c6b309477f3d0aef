import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { letRun, ManualTimers } from '../../../test/manual-time.ts';
import { type LogRecord, recordingLogger } from '../../../test/recording-logger.ts';
import { ConditionTable } from '../../market/conditions.ts';
import type { FeedStatus } from '../../market/service-status.ts';
import { SourceUnavailableError } from '../../market/source.ts';
import type { Trade } from '../../market/trade.ts';
import type { Feed, FeedEvent } from '../feed.ts';
import { startSimulator, type Simulator, type SimulatorOptions } from '../simulator/simulator.ts';
import type { FeedLimits } from './limits.ts';
import { createPolygonRest, type PolygonRestOptions } from './rest.ts';
import { createPolygonFeed } from './socket.ts';
import { until } from '../../../test/until.ts';

// The feed and the REST source against the simulated exchange: what both take the protocol to be.

const saidIn = (records: readonly LogRecord[], level: LogRecord['level']) =>
  records.filter((record) => record.level === level);

const KEY = 'secret-key-4711';
/** Short waits between two attempts; a confirmation is waited for, however slow the machine is. */
const QUICK: Partial<FeedLimits> = { initialDelayMs: 1, maxDelayMs: 5, settleTimeoutMs: 60_000, sendIntervalMs: 1 };
/** For an upstream that does not confirm: the feed is connected soon without. */
const UNCONFIRMED: Partial<FeedLimits> = { settleTimeoutMs: 20, ackTimeoutMs: 20 };

const opened: { close(): unknown }[] = [];

afterEach(async () => {
  for (const resource of opened.splice(0).reverse()) await resource.close();
});

async function simulate(options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await startSimulator({ symbols: 20, eventsPerSecond: 500, tape: false, ...options });
  opened.push(simulator);
  return simulator;
}

function connect(simulator: Simulator, limits: Partial<FeedLimits> = {}, timers?: ManualTimers) {
  const { logger, records } = recordingLogger();
  const feed: Feed = createPolygonFeed({
    url: simulator.wsUrl,
    name: 'SIMULATED',
    apiKey: KEY,
    logger,
    limits: { ...QUICK, ...limits },
    ...(timers !== undefined && { timers }),
  });
  opened.push(feed);
  const events: FeedEvent[] = [];
  const statuses: FeedStatus[] = [];
  feed.start({
    onEvents: (some) => events.push(...some),
    onStatus: (status) => statuses.push(status),
    onPrintFlow: () => {},
    onIndexFlow: () => {},
  });
  /** Timers that are moved by hand move only as far as the wait for the next attempt, or message, takes. */
  const untilConnected = () =>
    until(() => {
      timers?.advance(5);
      expect(statuses.at(-1)?.connected).toBe(true);
    });
  return { feed, records, events, statuses, untilConnected };
}

const tradeOf = (change: object = {}) => ({
  ev: 'T',
  sym: 'AAPL',
  i: '5096',
  x: 11,
  p: 161.87,
  s: 300,
  ds: '300.0',
  t: Date.now(),
  q: 1,
  z: 3,
  ...change,
});

const kindsOf = (events: readonly FeedEvent[]) =>
  new Set(events.map((event) => (event.kind === 'bar' ? `${event.kind} ${event.interval}` : event.kind)));

describe('the tape', () => {
  it('comes through whole: trades, quotes, bars and index values, nothing dropped', async () => {
    const startedAt = Date.now();
    const simulator = await simulate({ tape: true, eventsPerSecond: 2000 });
    const { feed, events, untilConnected } = connect(simulator);
    feed.subscribe(['AAPL', 'MSFT', 'NVDA', 'I:SPX']);
    await untilConnected();
    await until(() =>
      expect([...kindsOf(events)]).toEqual(expect.arrayContaining(['trade', 'bbo', 'bar SECOND', 'index-value'])),
    );
    const stats = feed.readStats();
    expect(Object.keys(stats).filter((name) => /^(dropped|ignored)\./.test(name))).toEqual([]);
    expect(stats).toMatchObject({ badFrames: 0, topicsUnconfirmed: 0, topicErrors: 0 });
    await until(() => expect(feed.readStats()['topicsConfirmed']).toBe(15));
    expect(new Set(events.map(({ symbol }) => symbol))).toEqual(new Set(['AAPL', 'MSFT', 'NVDA', 'I:SPX']));
    const trades = events.filter((event): event is Trade => event.kind === 'trade');
    expect(new Set(trades.map(({ symbol, id }) => `${symbol} ${id}`)).size).toBe(trades.length);
    // All of its times are of this test: a print of the tape may have been made up to a second before.
    const times = trades.flatMap(({ timestamp, receivedAt }) => [timestamp, receivedAt]);
    expect(Math.min(...times)).toBeGreaterThan(startedAt - 1_000);
    expect(Math.max(...times)).toBeLessThanOrEqual(Date.now());
  });

  it('with every fault in its data loses no more than what is wrong', async () => {
    const simulator = await simulate({ tape: true, eventsPerSecond: 2000 });
    for (const name of [
      'malformed-element',
      'bad-json',
      'binary-frame',
      'unknown-ids',
      'zero-quote',
      'duplicate',
    ] as const) {
      simulator.setFault(name, 0.3);
    }
    simulator.setFault('numeric-id');
    simulator.setFault('fractional-bar-size');
    const { feed, events, statuses, untilConnected } = connect(simulator);
    feed.subscribe(['AAPL', 'MSFT', 'NVDA']);
    await untilConnected();
    await until(() => {
      const stats = feed.readStats();
      const dropped = Object.keys(stats).filter((name) => /^(dropped|ignored)\./.test(name));
      expect(dropped.length).toBeGreaterThan(0);
      expect(stats['badFrames']).toBeGreaterThan(2);
      expect([...kindsOf(events)]).toEqual(expect.arrayContaining(['trade', 'bbo', 'bar SECOND']));
      expect(events.some((event) => event.kind === 'bbo' && event.bid === null)).toBe(true);
    });
    expect(statuses.map(({ connected }) => connected)).toEqual([false, true]);
  });
});

describe('the connection', () => {
  it('is made anew when it is cut, with all subscriptions', async () => {
    const simulator = await simulate();
    const { feed, events, statuses, untilConnected } = connect(simulator);
    feed.subscribe(['AAPL', 'MSFT']);
    await untilConnected();
    simulator.dropConnections();
    await until(() => expect(statuses.map(({ connected }) => connected)).toEqual([false, true, false, true]));
    const pairs = simulator.readStats().connections.flatMap((connection) => connection.pairs);
    expect(pairs).toHaveLength(8);
    simulator.push([tradeOf()]);
    await until(() => expect(events).toHaveLength(1));
  });

  it.each(['no-connected', 'no-auth-answer', 'auth-timeout', 'refuse-connections', 'upgrade-status'] as const)(
    'is tried for as long as the upstream has %s',
    async (fault) => {
      const simulator = await simulate();
      simulator.setFault(fault, fault === 'upgrade-status' ? 503 : undefined);
      const timers = new ManualTimers();
      const { feed, statuses, untilConnected } = connect(simulator, {}, timers);
      await until(() => {
        timers.advance(1_000);
        expect(feed.readStats()['reconnects']).toBeGreaterThanOrEqual(2);
      });
      expect(statuses.every(({ connected, reason }) => !connected && reason !== null)).toBe(true);
      simulator.clearFault();
      // An attempt from before runs into its deadline.
      timers.advance(10_000);
      await untilConnected();
    },
  );

  it.each(['stall', 'no-pong'] as const)('is found dead under %s', async (fault) => {
    const simulator = await simulate();
    const timers = new ManualTimers();
    const { feed, statuses, untilConnected } = connect(simulator, {}, timers);
    await untilConnected();
    simulator.setFault(fault);
    await until(() => {
      timers.advance(1_000);
      expect(statuses.at(-1)!.connected).toBe(false);
    });
    expect(statuses.at(-1)!.reason).toContain('nothing was heard');
    simulator.clearFault(fault);
    await untilConnected();
    expect(feed.readStats()['losses']).toBeGreaterThanOrEqual(1);
  });

  it('lives over many silences that its pings break', async () => {
    const simulator = await simulate();
    const timers = new ManualTimers();
    const { feed, untilConnected } = connect(simulator, { pingIntervalMs: 2_000, silenceTimeoutMs: 30_000 }, timers);
    await untilConnected();
    for (let second = 0; second < 150; second += 1) {
      timers.advance(1_000);
      // A pong takes some turns of the event loop: it has those of 28 seconds.
      await letRun();
    }
    expect(feed.readStats()).toMatchObject({ reconnects: 0, 'connected.stocks': 1 });
  });

  it('is evicted by a rival with the same key, says so loudly and waits', async () => {
    const simulator = await simulate();
    const first = connect(simulator);
    await first.untilConnected();
    const second = connect(simulator);
    await second.untilConnected();
    await until(() => expect(first.feed.readStats()['evictions']).toBe(1));
    expect(first.statuses.at(-1)).toMatchObject({
      connected: false,
      reason: expect.stringContaining('too many connections'),
    });
    const [alarm] = saidIn(first.records, 'error');
    expect(alarm!.fields).toMatchObject({ delayMs: expect.any(Number) });
    expect((alarm!.fields as { delayMs: number }).delayMs).toBeGreaterThanOrEqual(60_000);
    await until(() => expect(simulator.readStats().connections).toHaveLength(1));
    expect(second.statuses.at(-1)!.connected).toBe(true);
  });

  it('is given up where the key is wrong', async () => {
    const simulator = await simulate({ keys: { 'another key': {} } });
    const { feed, records } = connect(simulator);
    await until(() => expect(feed.readStats()['refusals']).toBe(1));
    expect(saidIn(records, 'error')).toHaveLength(1);
    expect(JSON.stringify(records)).not.toContain(KEY);
    expect(simulator.readStats().connectionsOpened).toBe(1);
  });
});

describe('subscriptions', () => {
  it('to what the plan lacks are told, and the others deliver', async () => {
    const simulator = await simulate({ keys: { [KEY]: { topics: ['T', 'A', 'AM'], clusters: ['stocks'] } } });
    const { feed, events, statuses, untilConnected } = connect(simulator, UNCONFIRMED);
    feed.subscribe(['AAPL', 'I:SPX']);
    await untilConnected();
    await until(() =>
      expect(feed.readStats()).toMatchObject({ topicsConfirmed: 3, topicsUnconfirmed: 1, refusals: 1 }),
    );
    await until(() => {
      expect(statuses.at(-1)!.reason).toContain('not authorized');
      expect(statuses.at(-1)!.reason).toContain("Your plan doesn't include websocket access.");
    });
    simulator.push([tradeOf()]);
    await until(() => expect(events).toHaveLength(1));
  });

  it.each(['no-acks', 'ack-per-frame', 'unknown-status'] as const)('deliver under %s', async (fault) => {
    const simulator = await simulate({ faults: { [fault]: true } });
    const { feed, events, untilConnected } = connect(simulator, fault === 'no-acks' ? UNCONFIRMED : {});
    feed.subscribe(['AAPL', 'MSFT']);
    await untilConnected();
    await until(() => expect(simulator.readStats().connections[0]!.pairs).toHaveLength(8));
    simulator.push([tradeOf()]);
    await until(() => expect(events).toHaveLength(1));
    const { topicsConfirmed } = feed.readStats();
    expect(topicsConfirmed).toBe(fault === 'no-acks' ? 0 : 8);
  });

  it('of thousands of symbols are taken', async () => {
    const simulator = await simulate();
    const { feed, untilConnected } = connect(simulator);
    feed.subscribe(Array.from({ length: 2000 }, (_, n) => `SYM${n}`));
    await untilConnected();
    await until(() => expect(feed.readStats()).toMatchObject({ topicsConfirmed: 8000, topicsPending: 0 }));
    expect(simulator.readStats().connections[0]!.pairs).toHaveLength(8000);
  });
});

describe('REST', () => {
  let simulator: Simulator;
  let startedAt: number;

  beforeAll(async () => {
    startedAt = Date.now();
    simulator = await startSimulator({
      symbols: 300,
      eventsPerSecond: 2000,
      keys: { [KEY]: {}, poor: { rest: false } },
    });
  });

  afterEach(() => {
    simulator.clearFault();
  });

  afterAll(async () => {
    await simulator.close();
  });

  function open(options: Partial<PolygonRestOptions> = {}) {
    const rest = createPolygonRest({
      baseUrl: simulator.restUrl,
      apiKey: KEY,
      logger: recordingLogger().logger,
      limits: { initialDelayMs: 1, maxDelayMs: 2, timeoutMs: 60_000 },
      ...options,
    });
    opened.push(rest);
    return rest;
  }

  it('answers the current quotes of stocks and indices', async () => {
    const rest = open();
    const quotes = await rest.readQuotes(['AAPL', 'MSFT', 'I:SPX', 'I:VIX', 'NOSUCH', 'I:NOSUCH']);
    expect([...quotes.keys()].sort()).toEqual(['AAPL', 'I:SPX', 'I:VIX', 'MSFT']);
    const apple = quotes.get('AAPL')!;
    expect(apple.bid!).toBeLessThanOrEqual(apple.ask!);
    expect(apple.low!).toBeLessThanOrEqual(apple.high!);
    expect(apple.volume).toBeGreaterThan(0);
    expect(apple.previousClose).toBeGreaterThan(0);
    expect(apple.change).toBeCloseTo(apple.price - apple.previousClose!, 4);
    expect(apple.timestamp).toBeGreaterThan(startedAt - 60_000);
    expect(quotes.get('I:SPX')).toMatchObject({ bid: null, ask: null, volume: 0 });
    expect(rest.readStats()['badElements']).toBe(0);
  });

  it('answers previous closes and bars', async () => {
    const rest = open();
    const close = await rest.readPreviousClose('AAPL');
    const quotes = await rest.readQuotes(['AAPL']);
    expect(close).toMatchObject({ symbol: 'AAPL', interval: 'DAY', close: quotes.get('AAPL')!.previousClose });
    expect(await rest.readPreviousClose('NOSUCH')).toBeNull();

    const to = Date.now();
    for (const [interval, lengthMs] of [
      ['SECOND', 1000],
      ['MINUTE', 60_000],
      ['HOUR', 3_600_000],
    ] as const) {
      const from = to - 50 * lengthMs;
      const bars = await rest.readBars({ symbol: 'AAPL', interval, from, to, limit: 20 });
      expect(bars.length, interval).toBeGreaterThan(0);
      expect(bars.length).toBeLessThanOrEqual(20);
      for (const [index, bar] of bars.entries()) {
        expect(bar).toMatchObject({ symbol: 'AAPL', interval, end: bar.start + lengthMs });
        expect(bar.start).toBeGreaterThan(bars[index - 1]?.start ?? from - 1);
        expect(bar.low).toBeLessThanOrEqual(Math.min(bar.open, bar.close));
        expect(bar.high).toBeGreaterThanOrEqual(Math.max(bar.open, bar.close));
      }
    }
    const days = await rest.readBars({ symbol: 'AAPL', interval: 'DAY', from: to - 30 * 86_400_000, to, limit: 5 });
    expect(days).toHaveLength(5);
    expect(await rest.readBars({ symbol: 'NOSUCH', interval: 'DAY', from: 0, to, limit: 5 })).toEqual([]);
    expect(rest.readStats()['badElements']).toBe(0);
  });

  it('answers the prints that the live feed delivered: the same ids, in the same order', async () => {
    const { feed, events, untilConnected } = connect(simulator);
    feed.subscribe(['AAPL', 'TSLA', 'NVDA']);
    await untilConnected();
    const tradesOf = (symbol: string) =>
      events.filter((event): event is Trade => event.kind === 'trade' && event.symbol === symbol);
    await until(() => expect(tradesOf('AAPL').length).toBeGreaterThan(10));
    feed.unsubscribe(['AAPL', 'TSLA', 'NVDA']);
    const live = tradesOf('AAPL');
    const rest = open();
    const from = live[0]!.timestamp;
    const to = live.at(-1)!.timestamp + 1;
    const history = await rest.readTrades({ symbol: 'AAPL', from, to, limit: 10_000 });
    const told = new Map(history.map((trade) => [trade.id, trade]));
    for (const trade of live) expect(told.get(trade.id)).toEqual({ ...trade, receivedAt: expect.any(Number) });
    expect(await rest.readTrades({ symbol: 'AAPL', from, to, limit: 3 })).toMatchObject(
      history.slice(0, 3).map(({ id }) => ({ id })),
    );
    expect(await rest.readTrades({ symbol: 'AAPL', to, limit: 3 })).toMatchObject(
      history.slice(-3).map(({ id }) => ({ id })),
    );
    expect(rest.readStats()['badElements']).toBe(0);
  });

  it('answers the state of a market that never closes and its reference data', async () => {
    const rest = open();
    expect(await rest.readMarketStatus()).toMatchObject({ market: 'open', alwaysOpen: true });
    expect(await rest.readHolidays()).toEqual([]);
    const conditions = new ConditionTable(await rest.readConditions());
    expect(conditions.nameOf(37)).toBe('Odd Lot Trade');
    expect(conditions.judge([37])).toEqual({ last: false, highLow: false, volume: true });
    expect((await rest.readExchanges()).map(({ id }) => id)).toEqual(expect.arrayContaining([4, 10, 11, 12]));
    expect(rest.readStats()['badElements']).toBe(0);
  });

  it('answers the holidays of a market that keeps them', async () => {
    const exchange = await simulate({ newYorkHours: true });
    const rest = open({ baseUrl: exchange.restUrl });
    const holidays = await rest.readHolidays();
    expect(holidays.map(({ name }) => name)).toEqual(expect.arrayContaining(['Thanksgiving', 'Christmas']));
    expect(new Set(holidays.map(({ date }) => date)).size).toBe(holidays.length);
    expect(await rest.readMarketStatus()).toMatchObject({ alwaysOpen: false });
    expect(rest.readStats()['badElements']).toBe(0);
  });

  it.each([
    ['rest-status', 503],
    ['rest-status', 429],
    ['rest-bad-json', undefined],
  ] as const)('answers in the end though %s (%s) is met twice', async (fault, value) => {
    simulator.setFault(fault, value, 2);
    const rest = open();
    expect((await rest.readQuotes(['AAPL'])).size).toBe(1);
    expect(rest.readStats()).toMatchObject({ retries: 2, failures: 0 });
  });

  it('answers in the end though rest-hang is met twice', async () => {
    simulator.setFault('rest-hang', undefined, 2);
    const timers = new ManualTimers();
    const rest = open({ timers });
    let asked = simulator.waitFor('request');
    const reading = rest.readQuotes(['AAPL']);
    for (let tries = 1; tries <= 2; tries += 1) {
      await asked;
      asked = simulator.waitFor('request');
      timers.advance(60_000);
      await until(() => expect(rest.readStats()['retries']).toBe(tries));
      // The wait before the next try.
      await until(() => expect(timers.delays).toHaveLength(1));
      timers.advance(2);
    }
    expect((await reading).size).toBe(1);
    expect(rest.readStats()).toMatchObject({ retries: 2, failures: 0 });
  });

  it('that asks for patience is given it, by the caller where it is long', async () => {
    simulator.setFault('rest-status', 429);
    simulator.setFault('rest-retry-after', '42');
    simulator.setFault('rest-empty-body');
    await expect(open().readQuotes(['AAPL'])).rejects.toMatchObject({
      name: 'SourceUnavailableError',
      retryAfterMs: 42_000,
    });
  });

  it.each([
    ['wrong', 'the upstream refuses the API key'],
    ['poor', 'the plan of the API key does not include this'],
  ])('says why a key is not served (%s)', async (apiKey, message) => {
    const failure = await open({ apiKey })
      .readMarketStatus()
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(SourceUnavailableError);
    expect(failure).toMatchObject({ message: expect.stringContaining(message), retryAfterMs: null });
  });
});
