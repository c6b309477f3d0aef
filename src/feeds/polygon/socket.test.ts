import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { ManualTimers } from '../../../test/manual-time.ts';
import { type LogRecord, recordingLogger } from '../../../test/recording-logger.ts';
import { ScriptedUpstream } from '../../../test/scripted-upstream.ts';
import type { Logger } from '../../market/logger.ts';
import type { FeedStatus } from '../../market/service-status.ts';
import type { Feed, FeedEvent } from '../feed.ts';
import type { FeedLimits } from './limits.ts';
import { createPolygonFeed, feedNameOf, type PolygonFeedOptions } from './socket.ts';
import { until } from '../../../test/until.ts';

const saidIn = (records: readonly LogRecord[], level: LogRecord['level']) =>
  records.filter((record) => record.level === level);

const KEY = 'secret-key-4711';
const NOW = Date.UTC(2026, 10, 20, 15, 0, 0);
const TRADE = { ev: 'T', sym: 'AAPL', i: '5096', x: 11, p: 161.87, s: 300, t: NOW - 40, q: 4009402, z: 3 };

/** Real time, but short waits between two attempts; a confirmation is waited for, however slow the machine is. */
const QUICK: Partial<FeedLimits> = { initialDelayMs: 1, maxDelayMs: 2, settleTimeoutMs: 60_000, sendIntervalMs: 1 };

let upstream: ScriptedUpstream;
let logger: Logger;
let records: LogRecord[];
let opened: Feed[];

beforeEach(async () => {
  upstream = await ScriptedUpstream.start();
  ({ logger, records } = recordingLogger());
  opened = [];
});

afterEach(async () => {
  await Promise.all(opened.map((feed) => feed.close()));
  await upstream[Symbol.asyncDispose]();
  // In no test and on no path may the key be said.
  if (JSON.stringify(records).includes(KEY)) throw new Error('the key was logged');
});

function open(options: Partial<PolygonFeedOptions> = {}) {
  const feed = createPolygonFeed({
    url: upstream.url,
    apiKey: KEY,
    logger,
    limits: QUICK,
    clock: () => NOW,
    random: () => 1,
    ...options,
  });
  opened.push(feed);
  const events: FeedEvent[] = [];
  const statuses: FeedStatus[] = [];
  const flows: boolean[] = [];
  const indexFlows: boolean[] = [];
  feed.start({
    onEvents: (some) => events.push(...some),
    onStatus: (status) => statuses.push(status),
    onPrintFlow: (isWhole) => flows.push(isWhole),
    onIndexFlow: (isWhole) => indexFlows.push(isWhole),
  });
  const untilConnected = () => until(() => expect(statuses.at(-1)?.connected).toBe(true));
  return { feed, events, statuses, flows, indexFlows, untilConnected };
}

/** The n-th connection of a cluster, once it has asked for something. */
async function connection(path: string, index = 0, messages = 1) {
  await until(() => expect(upstream.of(path)[index]?.received.length ?? 0).toBeGreaterThanOrEqual(messages));
  return upstream.of(path)[index]!;
}

describe('the handshake', () => {
  it('waits for the greeting, then for the acceptance of the key, then asks for all that is wanted', async () => {
    upstream.greets = false;
    upstream.answerToKey = () => null;
    const { feed, statuses, untilConnected } = open();
    feed.subscribe(['AAPL', 'BRK.B']);
    await until(() => expect(upstream.connections).toHaveLength(1));
    const stocks = upstream.of('/stocks')[0]!;
    stocks.sendStatus('something else', 'not yet');
    await until(() => expect(feed.readStats()).toMatchObject({ unknownStatuses: 1 }));
    expect(stocks.received).toEqual([]);

    stocks.sendStatus('connected', 'Connected Successfully');
    await connection('/stocks');
    expect(stocks.received).toEqual([{ action: 'auth', params: KEY }]);
    stocks.sendStatus('something else', 'not yet');
    await until(() => expect(feed.readStats()).toMatchObject({ unknownStatuses: 2 }));
    expect(stocks.received).toHaveLength(1);
    expect(statuses.map(({ connected }) => connected)).not.toContain(true);

    stocks.sendStatus('auth_success', 'authenticated');
    await untilConnected();
    expect(stocks.pairs).toEqual('T.AAPL,Q.AAPL,A.AAPL,AM.AAPL,T.BRK.B,Q.BRK.B,A.BRK.B,AM.BRK.B'.split(','));
    expect(feed.readStats()).toMatchObject({
      topicsConfirmed: 8,
      topicsPending: 0,
      'connected.stocks': 1,
      reconnects: 0,
    });
    expect(statuses).toEqual([
      { feed: 'LIVE', connected: false, reason: 'connecting to stocks' },
      { feed: 'LIVE', connected: true, reason: null },
    ]);
  });

  it.each([
    ['the greeting', { greetingTimeoutMs: 20 }, 'did not greet in time', (): void => void (upstream.greets = false)],
    [
      'the answer to the key',
      { authTimeoutMs: 20 },
      'did not answer to the key in time',
      (): void => void (upstream.answerToKey = () => null),
    ],
  ])('has a deadline for %s', async (_, limits, reason, arrange) => {
    arrange();
    const { statuses } = open({ limits: { ...QUICK, ...limits } });
    await until(() => expect(upstream.connections.length).toBeGreaterThan(1));
    expect(statuses.at(-1)).toMatchObject({ connected: false, reason: expect.stringContaining(reason) });
  });

  it('is tried again where nobody listens, and says why', async () => {
    const url = upstream.url;
    await upstream[Symbol.asyncDispose]();
    const { feed, statuses } = open({ url });
    await until(() => expect(feed.readStats()['reconnects']).toBeGreaterThan(1));
    expect(statuses.at(-1)).toMatchObject({ connected: false, reason: 'stocks: the connection failed: ECONNREFUSED' });
    upstream = await ScriptedUpstream.start();
  });

  it('is not disturbed by a status that comes twice, or at the wrong time', async () => {
    upstream.greets = false;
    const { feed, untilConnected } = open();
    feed.subscribe(['AAPL']);
    await until(() => expect(upstream.connections).toHaveLength(1));
    const stocks = upstream.connections[0]!;
    stocks.sendStatus('auth_success', 'before the key was sent');
    stocks.sendStatus('connected', '');
    await untilConnected();
    expect(stocks.received.map(({ action }) => action)).toEqual(['auth', 'subscribe']);
    stocks.sendStatus('connected', '');
    stocks.sendStatus('auth_success', '');
    feed.subscribe(['MSFT']);
    await until(() => expect(stocks.pairs).toHaveLength(8));
    // Neither the key nor the first subscription again.
    expect(stocks.received.map(({ action }) => action)).toEqual(['auth', 'subscribe', 'subscribe']);
    expect(upstream.connections).toHaveLength(1);
  });
});

describe('events', () => {
  it('are passed on frame by frame with the time of receipt', async () => {
    const { events, untilConnected } = open();
    await untilConnected();
    const stocks = await connection('/stocks');
    stocks.send(TRADE, { ...TRADE, p: -1 }, { ...TRADE, i: '5097' });
    await until(() => expect(events).toHaveLength(2));
    expect(events).toMatchObject([
      { kind: 'trade', id: '11-5096', receivedAt: NOW },
      { kind: 'trade', id: '11-5097', receivedAt: NOW },
    ]);
  });

  it('survive frames that are none', async () => {
    const { feed, events, untilConnected } = open();
    await untilConnected();
    const stocks = await connection('/stocks');
    stocks.socket.send('{"not":"an array"}');
    stocks.socket.send('[{"ev":"T"');
    stocks.socket.send(Buffer.from([1, 2, 3]), { binary: true });
    stocks.send(TRADE);
    await until(() => expect(events).toHaveLength(1));
    expect(feed.readStats()).toMatchObject({ badFrames: 3, events: 1 });
    expect(upstream.connections).toHaveLength(1);
  });

  it('of a symbol that was unsubscribed meanwhile are still passed on', async () => {
    const { feed, events, untilConnected } = open();
    feed.subscribe(['AAPL']);
    await untilConnected();
    feed.unsubscribe(['AAPL']);
    const stocks = await connection('/stocks', 0, 3);
    stocks.send(TRADE);
    await until(() => expect(events).toHaveLength(1));
  });

  it('do not stop at a listener that fails', async () => {
    const feed = createPolygonFeed({ url: upstream.url, apiKey: KEY, logger, limits: QUICK, clock: () => NOW });
    opened.push(feed);
    feed.start({
      onEvents: () => {
        throw new Error('not my day');
      },
      onStatus: () => {
        throw new Error('nor mine');
      },
      onPrintFlow: () => {},
      onIndexFlow: () => {},
    });
    await until(() => expect(feed.readStats()['connected.stocks']).toBe(1));
    (await connection('/stocks')).send(TRADE);
    await until(() => expect(feed.readStats()).toMatchObject({ listenerFailures: 3, events: 1 }));
  });

  it('of a frame beyond the limit of size end the connection, and the next one goes on', async () => {
    const { statuses, untilConnected } = open({ limits: { ...QUICK, maxFrameBytes: 1000 } });
    await untilConnected();
    (await connection('/stocks')).send({ ...TRADE, i: 'x'.repeat(2000) });
    await connection('/stocks', 1);
    expect(statuses).toContainEqual(
      expect.objectContaining({ connected: false, reason: expect.stringContaining('Max payload') }),
    );
    await untilConnected();
  });
});

describe('subscriptions', () => {
  it('follow demand on a standing connection', async () => {
    const { feed, untilConnected } = open();
    await untilConnected();
    feed.subscribe(['AAPL']);
    feed.subscribe(['MSFT', 'AAPL']);
    const stocks = await connection('/stocks', 0, 2);
    expect(stocks.pairs).toHaveLength(8);
    feed.unsubscribe(['AAPL']);
    await until(() => expect(stocks.pairs).toEqual(['T.MSFT', 'Q.MSFT', 'A.MSFT', 'AM.MSFT']));
    await until(() => expect(feed.readStats()).toMatchObject({ topicsConfirmed: 4 }));
  });

  it('go out in chunks, each confirmed pair by pair', async () => {
    const { feed, untilConnected } = open();
    feed.subscribe(Array.from({ length: 500 }, (_, n) => `SYM${n}`));
    await untilConnected();
    const stocks = await connection('/stocks', 0, 11);
    expect(stocks.pairs).toHaveLength(2000);
    for (const text of stocks.texts) expect(text.length).toBeLessThanOrEqual(4096);
    expect(feed.readStats()).toMatchObject({ topicsConfirmed: 2000, topicsPending: 0, topicsUnconfirmed: 0 });
  });

  it('that are not confirmed do not keep the feed from being connected', async () => {
    upstream.confirms = false;
    const { feed, untilConnected } = open({ limits: { ...QUICK, settleTimeoutMs: 20, ackTimeoutMs: 20 } });
    feed.subscribe(['AAPL']);
    await untilConnected();
    await until(() => expect(feed.readStats()).toMatchObject({ topicsUnconfirmed: 4, topicsPending: 0 }));
    expect(saidIn(records, 'warn').map(({ message }) => message)).toEqual([
      'subscriptions that the upstream did not confirm',
    ]);
    expect(upstream.connections).toHaveLength(1);
  });

  it('that the plan does not include are told, and the others go on', async () => {
    const { feed, statuses, events, untilConnected } = open();
    feed.subscribe(['AAPL']);
    await untilConnected();
    const stocks = await connection('/stocks', 0, 2);
    stocks.sendStatus('error', `not authorized ${KEY}`);
    stocks.sendStatus('error', `not authorized ${KEY}`);
    stocks.send(TRADE);
    await until(() => expect(events).toHaveLength(1));
    expect(statuses.at(-1)).toEqual({
      feed: 'LIVE',
      connected: true,
      reason: 'stocks: the upstream refuses some topics: not authorized [key]',
    });
    expect(feed.readStats()).toMatchObject({ topicErrors: 2 });
    expect(saidIn(records, 'warn')).toHaveLength(1);
  });
});

describe('unknown statuses', () => {
  it('are counted, survived and logged, without their number flooding the log', async () => {
    const { feed, untilConnected } = open();
    await untilConnected();
    const stocks = await connection('/stocks');
    for (let n = 0; n < 100; n += 1) stocks.sendStatus(`status ${n % 50}`, `message ${KEY}`);
    await until(() => expect(feed.readStats()['unknownStatuses']).toBe(100));
    expect(saidIn(records, 'warn')).toHaveLength(16);
    expect(saidIn(records, 'warn')[0]).toMatchObject({ fields: { status: 'status 0', message: 'message [key]' } });
    expect(feed.readStats()['connected.stocks']).toBe(1);
  });
});

describe('a connection that is lost', () => {
  it('is told, made anew, and asked again for all that is wanted now', async () => {
    const { feed, statuses, events, untilConnected } = open();
    feed.subscribe(['AAPL', 'MSFT']);
    await untilConnected();
    feed.unsubscribe(['MSFT']);
    feed.subscribe(['IBM']);
    await connection('/stocks', 0, 4);
    upstream.of('/stocks')[0]!.socket.terminate();
    const second = await connection('/stocks', 1, 2);
    await untilConnected();
    expect(new Set(second.pairs)).toEqual(new Set('T.AAPL,Q.AAPL,A.AAPL,AM.AAPL,T.IBM,Q.IBM,A.IBM,AM.IBM'.split(',')));
    expect(statuses.map(({ connected }) => connected)).toEqual([false, true, false, true]);
    expect(statuses[2]!.reason).toBe('stocks: the upstream closed the connection (1006)');
    expect(feed.readStats()).toMatchObject({ reconnects: 1, losses: 1, topicsConfirmed: 8 });
    second.send(TRADE);
    await until(() => expect(events).toHaveLength(1));
  });

  it('says with what words the upstream closed it, but not the key', async () => {
    const { statuses, untilConnected } = open();
    await untilConnected();
    (await connection('/stocks')).socket.close(1011, `no more of ${KEY}`);
    await until(() =>
      expect(statuses.map(({ reason }) => reason)).toContain(
        'stocks: the upstream closed the connection (1011, "no more of [key]")',
      ),
    );
  });

  it('is made anew also where the upstream says that it got no key', async () => {
    upstream.answerToKey = () => ({ status: 'auth_timeout', message: 'No authentication request received.' });
    const { statuses } = open();
    await connection('/stocks', 2);
    expect(statuses.at(-1)).toMatchObject({ connected: false, reason: expect.stringContaining('no key in time') });
  });

  it('frees its place at the upstream before a new one asks for it', async () => {
    const timers = new ManualTimers();
    const { untilConnected, statuses } = open({ timers, limits: {}, random: () => 0 });
    await untilConnected();
    const first = await connection('/stocks');
    first.sendStatus('auth_timeout', '');
    // It does not read any more, so that the closing handshake waits for its deadline.
    first.socket.pause();
    await until(() => expect(statuses.at(-1)!.connected).toBe(false));
    timers.advance(500);
    // Whoever connects a turn later comes after an attempt of before.
    await new Promise((resolve) => setImmediate(resolve));
    const visitor = new WebSocket(`${upstream.url}/visitor`);
    await once(visitor, 'message');
    expect(upstream.connections.map(({ path }) => path)).toEqual(['/stocks', '/visitor']);
    timers.advance(500);
    await until(() => expect(upstream.of('/stocks')).toHaveLength(2));
    visitor.terminate();
  });

  it('waits twice as long each time, unless it lived for a while', async () => {
    const timers = new ManualTimers();
    const { untilConnected, statuses } = open({ timers, limits: {} });
    const loseAfter = async (index: number, livedMs: number) => {
      await untilConnected();
      timers.advance(livedMs);
      upstream.of('/stocks')[index]!.socket.terminate();
      await until(() => expect(statuses.at(-1)?.connected).toBe(false));
      const { delayMs } = records.at(-1)!.fields as { delayMs: number };
      expect(timers.delays).toContain(delayMs);
      timers.advance(delayMs - 1);
      expect(upstream.of('/stocks')).toHaveLength(index + 1);
      timers.advance(1);
      await until(() => expect(upstream.of('/stocks')).toHaveLength(index + 2));
      return delayMs;
    };
    expect(await loseAfter(0, 1)).toBe(500);
    expect(await loseAfter(1, 5000)).toBe(1000);
    expect(await loseAfter(2, 9999)).toBe(2000);
    // Cut again and again within a minute, but never soon.
    expect(await loseAfter(3, 10_000)).toBe(500);
    expect(await loseAfter(4, 19_999)).toBe(500);
    expect(await loseAfter(5, 12_000)).toBe(500);
    expect(await loseAfter(6, 1)).toBe(1000);
  });

  it('is looked for every five seconds at the least while the upstream lets nobody in', async () => {
    const timers = new ManualTimers();
    const { untilConnected, statuses } = open({ timers, limits: {} });
    await untilConnected();
    timers.advance(15_000);
    upstream.greets = false;
    upstream.of('/stocks')[0]!.socket.terminate();
    await until(() => expect(statuses.at(-1)?.connected).toBe(false));
    const readDelay = () => (records.at(-1)!.fields as { delayMs: number }).delayMs;
    const delays = [readDelay()];
    for (let attempt = 1; attempt <= 6; attempt += 1) {
      timers.advance(delays.at(-1)!);
      await until(() => expect(upstream.of('/stocks')).toHaveLength(attempt + 1));
      const told = records.length;
      upstream.of('/stocks')[attempt]!.socket.terminate();
      await until(() => expect(records.length).toBeGreaterThan(told));
      delays.push(readDelay());
    }
    expect(delays).toEqual([500, 1000, 2000, 4000, 5000, 5000, 5000]);
  });
});

describe('silence', () => {
  it('is broken by pings, whose answers keep the connection', async () => {
    const timers = new ManualTimers();
    const { feed, untilConnected } = open({ timers, limits: {} });
    await untilConnected();
    const stocks = await connection('/stocks');
    for (let pings = 1; pings <= 5; pings += 1) {
      timers.advance(20_000);
      await until(() => expect(stocks.pings).toBe(pings));
      // The pong is on its way before this; when this one is here, the pong is.
      stocks.sendStatus('after the pong', String(pings));
      await until(() => expect(feed.readStats()['unknownStatuses']).toBe(pings));
    }
    expect(upstream.connections).toHaveLength(1);
  });

  it('is ended after 30 s without any frame or pong: the socket is destroyed, and a new one made', async () => {
    upstream.answersPings = false;
    const timers = new ManualTimers();
    const { statuses, untilConnected } = open({ timers, limits: {} });
    await untilConnected();
    timers.advance(29_999);
    expect(statuses.at(-1)!.connected).toBe(true);
    timers.advance(1);
    expect(statuses.at(-1)).toMatchObject({
      connected: false,
      reason: 'stocks: nothing was heard from the upstream for 30 s',
    });
    await until(() => expect(upstream.connections[0]!.closeCode).toBe(1006));
    timers.advance(500);
    await connection('/stocks', 1);
    await untilConnected();
  });

  it('is not what a quiet market is: any frame counts', async () => {
    upstream.answersPings = false;
    const timers = new ManualTimers();
    const { feed, statuses, untilConnected } = open({ timers, limits: {} });
    await untilConnected();
    timers.advance(25_000);
    (await connection('/stocks')).sendStatus('here', '');
    await until(() => expect(feed.readStats()['unknownStatuses']).toBe(1));
    timers.advance(29_999);
    expect(statuses.at(-1)!.connected).toBe(true);
    timers.advance(1);
    expect(statuses.at(-1)!.connected).toBe(false);
  });
});

describe('too many connections', () => {
  it('are answered by an alarm and a wait of at least a minute', async () => {
    const timers = new ManualTimers();
    const { feed, statuses, untilConnected } = open({ timers, limits: {}, random: () => 0 });
    await untilConnected();
    const stocks = await connection('/stocks');
    stocks.sendStatus('max_connections', 'Maximum number of websocket connections exceeded. ');
    stocks.socket.close(1008);
    await until(() => expect(statuses.at(-1)!.connected).toBe(false));
    expect(statuses.at(-1)!.reason).toBe('stocks: too many connections with this API key: is another ingest running?');
    expect(saidIn(records, 'error')).toEqual([
      expect.objectContaining({
        message: 'evicted by the upstream',
        fields: expect.objectContaining({ delayMs: 60_000 }),
      }),
    ]);
    expect(feed.readStats()).toMatchObject({ evictions: 1 });
    timers.advance(59_999);
    expect(upstream.connections).toHaveLength(1);
    timers.advance(1);
    await connection('/stocks', 1);
    await untilConnected();
  });
});

describe('a refused key', () => {
  it('is final and loud', async () => {
    upstream.answerToKey = () => ({ status: 'auth_failed', message: `authentication failed for ${KEY}` });
    const timers = new ManualTimers();
    const { feed, statuses } = open({ timers, limits: {} });
    await until(() => expect(feed.readStats()['refusals']).toBe(1));
    expect(statuses.at(-1)).toEqual({
      feed: 'LIVE',
      connected: false,
      reason: 'stocks: the upstream refuses the API key: authentication failed for [key]',
    });
    expect(saidIn(records, 'error')).toHaveLength(1);
    await until(() => expect(upstream.connections[0]!.closeCode).toBe(1000));
    // No attempt is planned: not one timer waits.
    expect(timers.delays).toEqual([]);
    feed.subscribe(['AAPL']);
    timers.advance(3_600_000);
    expect(upstream.connections).toHaveLength(1);
  });

  it('is final also where it is refused later on', async () => {
    const { feed, untilConnected } = open();
    await untilConnected();
    (await connection('/stocks')).sendStatus('auth_failed', '');
    await until(() => expect(feed.readStats()).toMatchObject({ refusals: 1, 'connected.stocks': 0 }));
  });
});

describe('prints', () => {
  it('are told to come without loss, and no more, whatever becomes of the indices', async () => {
    const { feed, statuses, flows, indexFlows, untilConnected } = open();
    feed.subscribe(['AAPL', 'I:SPX']);
    await untilConnected();
    await until(() => expect(feed.readStats()).toMatchObject({ 'connected.stocks': 1, 'connected.indices': 1 }));
    upstream.of('/indices')[0]!.socket.terminate();
    const reason = 'indices: the upstream closed the connection (1006)';
    await until(() => expect(statuses).toContainEqual({ feed: 'LIVE', connected: false, reason }));
    await until(() => expect(indexFlows).toEqual([true, false, true]));
    expect(flows).toEqual([true]);
    upstream.of('/stocks')[0]!.socket.terminate();
    await until(() => expect(flows).toEqual([true, false, true]));
    upstream.of('/stocks')[1]!.socket.terminate();
    await until(() => expect(flows).toEqual([true, false, true, false, true]));
    expect(indexFlows).toEqual([true, false, true]);
  });
});

describe('indices', () => {
  it('have a connection of their own, opened when the first is wanted', async () => {
    const { feed, events, statuses, untilConnected } = open();
    feed.subscribe(['AAPL']);
    await untilConnected();
    expect(upstream.of('/indices')).toEqual([]);
    feed.subscribe(['I:SPX', 'MSFT']);
    const indices = await connection('/indices', 0, 2);
    expect(indices.pairs).toEqual(['V.I:SPX', 'A.I:SPX', 'AM.I:SPX']);
    expect((await connection('/stocks', 0, 3)).pairs).toHaveLength(8);
    indices.send({ ev: 'V', val: 3988.5, T: 'I:SPX', t: NOW });
    await until(() => expect(events).toMatchObject([{ kind: 'index-value', symbol: 'I:SPX', value: 3988.5 }]));
    await until(() => expect(statuses.at(-1)).toMatchObject({ connected: true, reason: null }));
    // Their coming up is no loss of the stocks.
    expect(statuses.map(({ connected }) => connected).slice(1)).not.toContain(false);
  });

  it('wanted before the start are opened at the start', async () => {
    const feed = createPolygonFeed({ url: `${upstream.url}/`, apiKey: KEY, logger, limits: QUICK });
    opened.push(feed);
    feed.subscribe(['I:SPX']);
    feed.start({ onEvents: () => {}, onStatus: () => {}, onPrintFlow: () => {}, onIndexFlow: () => {} });
    await connection('/indices', 0, 2);
    await connection('/stocks');
    await until(() => expect(feed.readStats()).toMatchObject({ 'connected.stocks': 1, 'connected.indices': 1 }));
  });

  it('that the plan does not include leave the stocks as they are, and are told', async () => {
    upstream.answerToKey = (path) =>
      path === '/indices'
        ? { status: 'auth_failed', message: "Your plan doesn't include websocket access." }
        : { status: 'auth_success', message: 'authenticated' };
    const { feed, events, statuses, untilConnected } = open();
    feed.subscribe(['AAPL', 'I:SPX']);
    await until(() => expect(feed.readStats()['refusals']).toBe(1));
    await untilConnected();
    expect(statuses.at(-1)).toEqual({
      feed: 'LIVE',
      connected: true,
      reason: "indices: the upstream refuses the API key: Your plan doesn't include websocket access.",
    });
    (await connection('/stocks', 0, 2)).send(TRADE);
    await until(() => expect(events).toHaveLength(1));
    expect(upstream.of('/indices')).toHaveLength(1);
    feed.unsubscribe(['I:SPX']);
    expect(statuses.at(-1)).toMatchObject({ connected: true, reason: null });
  });

  it('that are lost after they were there are a loss, while one is wanted', async () => {
    const { feed, statuses } = open();
    feed.subscribe(['I:SPX']);
    await until(() => expect(feed.readStats()).toMatchObject({ 'connected.stocks': 1, 'connected.indices': 1 }));
    upstream.of('/indices')[0]!.socket.terminate();
    await until(() =>
      expect(statuses).toContainEqual({
        feed: 'LIVE',
        connected: false,
        reason: 'indices: the upstream closed the connection (1006)',
      }),
    );
    await connection('/indices', 1, 2);
    await until(() => expect(statuses.at(-1)).toMatchObject({ connected: true, reason: null }));
    feed.unsubscribe(['I:SPX']);
    const told = statuses.length;
    upstream.of('/indices')[1]!.socket.terminate();
    await connection('/indices', 2);
    expect(statuses).toHaveLength(told);
    expect(upstream.of('/stocks')).toHaveLength(1);
  });
});

describe('closing', () => {
  it('sends a close frame and ends, for good', async () => {
    const { feed, statuses, untilConnected } = open();
    feed.subscribe(['AAPL', 'I:SPX']);
    await untilConnected();
    await connection('/indices', 0, 2);
    const told = statuses.length;
    await feed.close();
    await until(() => expect(upstream.connections.map(({ closeCode }) => closeCode)).toEqual([1000, 1000]));
    feed.subscribe(['MSFT']);
    feed.unsubscribe(['AAPL']);
    expect(statuses).toHaveLength(told);
    expect(() =>
      feed.start({ onEvents: () => {}, onStatus: () => {}, onPrintFlow: () => {}, onIndexFlow: () => {} }),
    ).toThrow('once');
    await feed.close();
  });

  it('destroys a socket whose other side does not answer', async () => {
    const { feed, untilConnected } = open({ limits: { ...QUICK, closeTimeoutMs: 20 } });
    await untilConnected();
    upstream.connections[0]!.socket.pause();
    await feed.close();
    upstream.connections[0]!.socket.resume();
    await until(() => expect(upstream.connections[0]!.closeCode).not.toBeNull());
  });

  it('while connecting, or waiting to connect, leaves nothing behind', async () => {
    const timers = new ManualTimers();
    const { feed } = open({ timers });
    await feed.close();
    expect(timers.delays).toEqual([]);

    const waiting = open({ timers, limits: {} });
    await waiting.untilConnected();
    upstream.connections.at(-1)!.socket.terminate();
    await until(() => expect(timers.delays).toEqual([500]));
    await waiting.feed.close();
    expect(timers.delays).toEqual([]);
  });

  it('before the start is possible', async () => {
    const feed = createPolygonFeed({ url: upstream.url, apiKey: KEY, logger });
    await feed.close();
    expect(upstream.connections).toEqual([]);
  });
});

describe('the name of the feed', () => {
  it('is told by the host, unless it is given', () => {
    expect(feedNameOf('wss://socket.massive.com')).toBe('LIVE');
    expect(feedNameOf('wss://delayed.polygon.io')).toBe('DELAYED');
    expect(feedNameOf('wss://delayed-business.massive.com/')).toBe('DELAYED');
    expect(createPolygonFeed({ url: 'wss://delayed.polygon.io', apiKey: KEY, logger }).name).toBe('DELAYED');
    expect(createPolygonFeed({ url: 'ws://127.0.0.1:1', apiKey: KEY, logger, name: 'SIMULATED' }).name).toBe(
      'SIMULATED',
    );
  });

  it('needs a URL of a WebSocket', () => {
    expect(() => createPolygonFeed({ url: 'https://socket.massive.com', apiKey: KEY, logger })).toThrow(TypeError);
    expect(() => createPolygonFeed({ url: 'nowhere', apiKey: KEY, logger })).toThrow(TypeError);
  });
});
