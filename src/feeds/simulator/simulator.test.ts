import { connect as connectTcp } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { RawClient } from '../../../test/raw-exchange-client.ts';
import { startSimulator } from './simulator.ts';
import type { Simulator, SimulatorOptions } from './simulator.ts';

const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function start(options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await startSimulator({ symbols: 30, eventsPerSecond: 1_000, ...options });
  open.push(simulator);
  return simulator;
}

async function connect(simulator: Simulator, cluster = 'stocks'): Promise<RawClient> {
  const client = await RawClient.connect(`${simulator.wsUrl}/${cluster}`);
  open.push(client);
  return client;
}

async function login(simulator: Simulator, cluster = 'stocks', key = 'key'): Promise<RawClient> {
  const client = await RawClient.login(`${simulator.wsUrl}/${cluster}`, key);
  open.push(client);
  return client;
}

const CONNECTED = '[{"ev":"status","status":"connected","message":"Connected Successfully"}]';
const AUTHENTICATED = '[{"ev":"status","status":"auth_success","message":"authenticated"}]';

describe('a connection', () => {
  test('is greeted in a frame of its own, and authenticated in another', async () => {
    const client = await connect(await start());
    await client.until(() => client.frames.length === 1);
    expect(client.frames).toEqual([CONNECTED]);
    client.auth('key');
    await client.until(() => client.frames.length === 2);
    expect(client.frames[1]).toBe(AUTHENTICATED);
  });

  test('may send its key and its subscriptions at once, before it has read anything', async () => {
    const client = await connect(await start({ tape: false }));
    client.auth('key');
    client.send({ action: 'subscribe', params: 'T.AAPL' });
    client.send({ action: 'subscribe', params: 'Q.AAPL, A.AAPL' });
    await client.untilMessage('subscribed to: A.AAPL');
    expect(client.elements.map(({ message }) => message)).toEqual([
      'Connected Successfully',
      'authenticated',
      'subscribed to: T.AAPL',
      'subscribed to: Q.AAPL',
      'subscribed to: A.AAPL',
    ]);
  });

  test('is refused with 404 at an unknown path', async () => {
    const simulator = await start({ tape: false });
    for (const path of ['', '/stock', '/stocks/x', '/constructor']) {
      const { port } = new URL(simulator.wsUrl);
      const socket = connectTcp(Number(port), '127.0.0.1');
      socket.write(
        `GET ${path === '' ? '/' : path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
      );
      const answer = await new Promise<string>((resolve) => socket.once('data', (data) => resolve(data.toString())));
      expect(answer).toMatch(/^HTTP\/1\.1 404 /);
      socket.destroy();
    }
  });

  test.each(['stocks', 'options', 'indices', 'forex', 'crypto', 'futures', 'futures/cme'])(
    'is welcome at /%s',
    async (cluster) => {
      const client = await login(await start({ tape: false }), cluster);
      expect(client.frames).toEqual([CONNECTED, AUTHENTICATED]);
    },
  );

  test('with a bad key is told so and cut without a close frame', async () => {
    const client = await connect(await start({ keys: { good: {} }, tape: false }));
    client.auth('bad');
    expect(await client.closed).toBe(1006);
    expect(client.frames[1]).toBe('[{"ev":"status","status":"auth_failed","message":"authentication failed"}]');
  });

  test('with a key whose plan lacks the market is told so and cut', async () => {
    const client = await connect(
      await start({ keys: { stocksOnly: { clusters: ['stocks'] } }, tape: false }),
      'indices',
    );
    client.auth('stocksOnly');
    expect(await client.closed).toBe(1006);
    expect(client.frames[1]).toBe(
      '[{"ev":"status","status":"auth_failed","message":"Your plan doesn\'t include websocket access."}]',
    );
  });

  test('without a key is told that none came, and closed', async () => {
    const client = await connect(await start({ authTimeoutMs: 20, tape: false }));
    await client.closed;
    expect(client.frames[1]).toBe(
      '[{"ev":"status","status":"auth_timeout","message":"No authentication request received."}]',
    );
  });

  test('that subscribes before its key is not authorized', async () => {
    const client = await connect(await start({ tape: false }));
    client.send({ action: 'subscribe', params: 'T.AAPL' });
    expect(await client.untilMessage('not authorized')).toMatchObject({ status: 'error' });
    client.auth('key');
    await client.untilStatus('auth_success');
    expect(client.elements.some(({ status }) => status === 'success')).toBe(false);
  });

  test('survives messages that make no sense', async () => {
    const client = await login(await start({ tape: false }));
    for (const text of ['', '{', 'null', '[]', '7', '{"action":"auth"}', '{"action":"dance","params":"T.AAPL"}']) {
      client.send(text);
    }
    client.send({ action: 'subscribe', params: ['T.AAPL'] });
    client.webSocket.send(Buffer.from([1, 2, 3]));
    await client.subscribe('T.AAPL');
    expect(client.elements).toHaveLength(3);
  });

  test('gets its pings answered', async () => {
    const client = await login(await start({ tape: false }));
    const pong = new Promise<string>((resolve) => client.webSocket.once('pong', (data) => resolve(data.toString())));
    client.webSocket.ping('still there?');
    expect(await pong).toBe('still there?');
  });
});

describe('subscriptions', () => {
  test('are acknowledged one by one, whatever the symbol, wildcards as one', async () => {
    const client = await login(await start({ tape: false }));
    client.send({ action: 'subscribe', params: 'T.AAPL, Q.BRK.B,AM.*,T.NOTATICKER' });
    await client.untilMessage('subscribed to: T.NOTATICKER');
    expect(client.elements.slice(2)).toEqual(
      ['T.AAPL', 'Q.BRK.B', 'AM.*', 'T.NOTATICKER'].map((pair) => ({
        ev: 'status',
        status: 'success',
        message: `subscribed to: ${pair}`,
      })),
    );
  });

  test('of unknown topics and of pairs already held get no answer', async () => {
    const client = await login(await start({ tape: false }));
    await client.subscribe('T.AAPL');
    client.send({ action: 'subscribe', params: 'ZZ.AAPL,T.AAPL,T,,V.I:SPX' });
    await client.subscribe('T.MSFT');
    expect(client.elements.slice(2).map(({ message }) => message)).toEqual([
      'subscribed to: T.AAPL',
      'subscribed to: T.MSFT',
    ]);
  });

  test('of topics beyond the plan are refused before the others are acknowledged', async () => {
    const client = await login(await start({ keys: { key: { topics: ['T', 'AM'] } }, tape: false }));
    client.send({ action: 'subscribe', params: 'T.AAPL,Q.AAPL,AM.AAPL,LULD.*' });
    await client.untilMessage('subscribed to: AM.AAPL');
    expect(client.elements.slice(2).map(({ status, message }) => `${status} ${message}`)).toEqual([
      'error not authorized',
      'success subscribed to: T.AAPL',
      'success subscribed to: AM.AAPL',
    ]);
  });

  test('end with an acknowledgement, after which nothing of them comes', async () => {
    const simulator = await start({ eventsPerSecond: 5_000 });
    const client = await login(simulator);
    await client.subscribe('Q.*', 'T.*');
    await client.untilCount(50, ({ ev }) => ev === 'T');
    client.send({ action: 'unsubscribe', params: 'T.*,T.NEVER' });
    await client.untilMessage('unsubscribed to: T.*');
    const from = client.elements.findIndex(({ message }) => message === 'unsubscribed to: T.*');
    await client.until(() => client.elements.slice(from).filter(({ ev }) => ev === 'Q').length > 100);
    expect(client.elements.slice(from).filter(({ ev }) => ev === 'T')).toEqual([]);
    expect(simulator.readStats().connections).toMatchObject([{ cluster: 'stocks', pairs: ['Q.*'] }]);
    expect(client.elements.some(({ message }) => message === 'unsubscribed to: T.NEVER')).toBe(false);
  });

  test('bring only what was asked for, each event once also where a symbol and * overlap', async () => {
    const client = await login(await start({ eventsPerSecond: 20_000 }));
    await client.subscribe('T.SPY', 'T.*');
    await client.untilCount(100, ({ sym }) => sym === 'SPY');
    const trades = client.elements.filter(({ sym }) => sym === 'SPY').map(({ q }) => q);
    expect(new Set(trades).size).toBe(trades.length);
    expect(client.elements.some(({ sym }) => sym !== 'SPY' && sym !== undefined)).toBe(true);
    expect(client.elements.every(({ ev }) => ev === 'status' || ev === 'T')).toBe(true);
  });
});

describe('data', () => {
  test('comes in arrays that mix topics and symbols, in frames below a million bytes and 500 events', async () => {
    const client = await login(await start({ eventsPerSecond: 100_000, symbols: 500, frameSliceMs: 20 }));
    await client.subscribe('T.*', 'Q.*', 'A.*');
    await client.untilCount(20_000, ({ ev }) => ev === 'T' || ev === 'Q');
    const frames = client.frames.slice(3).map((frame) => JSON.parse(frame) as { ev: string; sym: string }[]);
    expect(frames.every((frame) => Array.isArray(frame) && frame.length >= 1 && frame.length <= 500)).toBe(true);
    expect(client.frames.every((frame) => frame.length < 1_000_000)).toBe(true);
    const mixed = frames.find((frame) => new Set(frame.map(({ ev }) => ev)).size > 1)!;
    expect(new Set(mixed.map(({ sym }) => sym)).size).toBeGreaterThan(1);
  });

  test('of trades, quotes and bars has the fields of the wire', async () => {
    const client = await login(await start({ eventsPerSecond: 5_000, symbols: 10 }));
    await client.subscribe('T.*', 'Q.*', 'A.*');
    await client.untilCount(3, ({ ev }) => ev === 'A');
    await client.untilCount(500, ({ ev }) => ev === 'T');
    const of = (ev: string): Record<string, unknown>[] => client.elements.filter((element) => element.ev === ev);
    for (const trade of of('T')) {
      expect(trade).toMatchObject({
        sym: expect.any(String),
        i: expect.stringMatching(/^\d+$/),
        x: expect.any(Number),
      });
      expect(trade['s']).toBe(Math.floor(Number(trade['ds'])));
      expect(trade['ds']).toMatch(/^\d+\.\d{1,6}$/);
      expect(Number(trade['pt'])).toBeLessThanOrEqual(Number(trade['t']));
      expect('trfi' in trade && 'trft' in trade).toBe(trade['x'] === 4);
      if ('c' in trade) expect((trade['c'] as number[]).length).toBeGreaterThan(0);
      expect([1, 2, 3]).toContain(trade['z']);
    }
    expect(of('T').some((trade) => !('c' in trade))).toBe(true);
    expect(of('T').some(({ s, ds }) => s === 0 && Number(ds) > 0)).toBe(true);
    const quote = of('Q')[0]!;
    expect(Object.keys(quote)).toEqual('ev,sym,i,bx,ax,bp,ap,bs,as,t,pt,q,z'.split(','));
    const bar = of('A')[0]!;
    expect(Object.keys(bar)).toEqual('ev,sym,v,av,op,vw,o,c,h,l,a,z,s,e,dv,dav'.split(','));
    expect(bar).toMatchObject({ e: Number(bar['s']) + 1_000, dv: expect.any(String), dav: expect.any(String) });
  });

  test('of indices comes as values and bars of the indices cluster', async () => {
    const client = await login(await start(), 'indices');
    await client.subscribe('V.I:SPX', 'V.I:VIX', 'A.*');
    const value = await client.untilElement(({ ev, T }) => ev === 'V' && T === 'I:SPX');
    expect(Object.keys(value)).toEqual(['ev', 'val', 'T', 't']);
    const bar = await client.untilElement(({ ev }) => ev === 'A');
    expect(Object.keys(bar)).toEqual(['ev', 'sym', 'op', 'o', 'c', 'h', 'l', 's', 'e']);
  });

  test('of limit-up limit-down bands has its symbol in T and its time in nanoseconds', async () => {
    const startedAt = Date.now();
    const simulator = await start();
    const client = await login(simulator);
    await client.subscribe('LULD.AAPL');
    simulator.setFault('halt', 'AAPL');
    const band = await client.untilElement(({ ev }) => ev === 'LULD');
    expect(band).toMatchObject({ T: 'AAPL', i: [17], z: 3 });
    expect(Number(band['h'])).toBeGreaterThan(Number(band['l']));
    const at = Math.round(Number(band['t']) / 1e6);
    expect(at).toBeGreaterThanOrEqual(startedAt);
    expect(at).toBeLessThanOrEqual(Date.now());
  });

  test('has the time of the clock that was given', async () => {
    let now = Date.parse('2026-03-02T15:00:00Z');
    const simulator = await start({ clock: { now: () => now } });
    const client = await login(simulator);
    await client.subscribe('T.*');
    now += 200;
    const trade = await client.untilElement(({ ev }) => ev === 'T');
    expect(Number(trade['t'])).toBeGreaterThanOrEqual(now - 200);
    expect(Number(trade['t'])).toBeLessThan(now);
    // After the machine has slept the tape goes on with the present.
    now += 3_600_000;
    const wake = now;
    const later = await client.until(() => {
      now += 10;
      simulator.push([{ ev: 'status', status: 'tick' }]);
      return client.elements.find(({ ev, t }) => ev === 'T' && Number(t) > wake - 10_000);
    });
    expect(Number(later['t'])).toBeGreaterThan(wake - 2_000);
  });
});

describe('pushed elements', () => {
  test('reach those who subscribed to them, in one frame each', async () => {
    const simulator = await start({ tape: false });
    const [one, other] = [await login(simulator, 'stocks', 'a'), await login(simulator, 'stocks', 'b')];
    await one.subscribe('T.AAPL', 'Q.AAPL');
    await other.subscribe('T.*');
    const trade = { ev: 'T', sym: 'AAPL', i: '1', x: 4, p: 200.5, s: 10, t: Date.now(), q: 1, z: 3 };
    const quote = { ev: 'Q', sym: 'AAPL', bp: 200, ap: 201, bs: 100, as: 100, t: Date.now(), q: 1, z: 3 };
    simulator.push([trade, quote, { ...trade, sym: 'ZZZZ' }]);
    await one.until(() => one.frames.length === 4);
    await other.until(() => other.frames.length === 4);
    expect(JSON.parse(one.frames[3]!)).toEqual([trade, quote]);
    expect(JSON.parse(other.frames[3]!)).toEqual([trade, { ...trade, sym: 'ZZZZ' }]);
  });

  test('that are no events reach every authenticated connection', async () => {
    const simulator = await start({ tape: false });
    const client = await login(simulator);
    const stranger = await connect(simulator);
    simulator.push([{ ev: 'status', status: 'maintenance', message: 'soon' }, null, 5]);
    await client.until(() => client.frames.length === 3);
    expect(JSON.parse(client.frames[2]!)).toEqual([{ ev: 'status', status: 'maintenance', message: 'soon' }, null, 5]);
    expect(stranger.frames).toEqual([CONNECTED]);
  });

  test('are all there is without a tape', async () => {
    let now = Date.now();
    const simulator = await start({ tape: false, clock: { now: () => now } });
    const client = await login(simulator);
    await client.subscribe('T.*', 'Q.*', 'A.*', 'AM.*');
    simulator.push([{ ev: 'T', sym: 'AAPL', p: 1, s: 100, t: now }]);
    now += 4_000;
    simulator.push([{ ev: 'T', sym: 'AAPL', p: 2, s: 100, t: now }]);
    await client.untilCount(2, ({ ev }) => ev === 'T');
    expect(client.elements.filter(({ ev }) => ev !== 'status' && ev !== 'T')).toEqual([]);
  });
});

describe('the quota of connections', () => {
  const MESSAGE = /^Maximum number of websocket connections exceeded\. /;

  test('ends the oldest connection of a key, with a status and 1008', async () => {
    const simulator = await start({ tape: false });
    const older = await login(simulator);
    const ended = simulator.waitFor('closed');
    const newer = await login(simulator);
    expect(await older.closed).toBe(1008);
    expect(older.elements.at(-1)).toMatchObject({ status: 'max_connections', message: expect.stringMatching(MESSAGE) });
    expect(await ended).toMatchObject({ connection: 1, cause: 'quota' });
    await newer.subscribe('T.AAPL');
  });

  test('or the newest, after it has subscribed', async () => {
    const simulator = await start({ tape: false, quotaVictim: 'newest' });
    const older = await login(simulator);
    const newer = await connect(simulator);
    // Both at once: where it does not subscribe, it ends after a while, which a slow machine may take.
    newer.auth('key');
    newer.send({ action: 'subscribe', params: 'T.AAPL' });
    await newer.untilMessage('subscribed to: T.AAPL');
    expect(await newer.closed).toBe(1008);
    await older.subscribe('T.AAPL');
  });

  test('or the newest after a while, where it does not subscribe', async () => {
    const simulator = await start({ tape: false, quotaVictim: 'newest' });
    await login(simulator);
    const newer = await login(simulator);
    expect(await newer.closed).toBe(1008);
  });

  test('is per key and per cluster, and larger where the plan says so', async () => {
    const simulator = await start({ tape: false, keys: { one: {}, three: { maxConnections: 3 } } });
    await login(simulator, 'stocks', 'one');
    await login(simulator, 'indices', 'one');
    for (let count = 0; count < 3; count += 1) await login(simulator, 'stocks', 'three');
    expect(simulator.readStats().connections).toHaveLength(5);
    const ended = simulator.waitFor('closed');
    await login(simulator, 'stocks', 'three');
    expect(await ended).toMatchObject({ connection: 3, cause: 'quota' });
  });

  test('forgets a connection that has gone', async () => {
    const simulator = await start({ tape: false });
    const first = await login(simulator);
    const ended = simulator.waitFor('closed');
    first.close();
    await ended;
    const second = await login(simulator);
    await second.subscribe('T.AAPL');
    expect(second.elements.some(({ status }) => status === 'max_connections')).toBe(false);
  });
});

test('a consumer that does not read is cut off without a word', async () => {
  const simulator = await start({ eventsPerSecond: 100_000, maxBufferedBytes: 65_536 });
  const client = await login(simulator);
  await client.subscribe('T.*', 'Q.*');
  const ended = simulator.waitFor('closed');
  client.webSocket.pause();
  expect(await ended).toMatchObject({ cause: 'slow-consumer' });
  client.webSocket.resume();
  expect(await client.closed).toBe(1006);
  expect(client.elements.filter(({ ev }) => ev === 'status')).toHaveLength(4);
});

test('tests can follow what happens', async () => {
  const simulator = await start({ tape: false });
  const waiting = [
    simulator.waitFor('connected'),
    simulator.waitFor('authenticated'),
    simulator.waitFor('subscribed', ({ pairs }) => pairs.includes('Q.AAPL')),
    simulator.waitFor('unsubscribed'),
    simulator.waitFor('closed'),
  ];
  const client = await login(simulator);
  await client.subscribe('T.AAPL');
  await client.subscribe('Q.AAPL');
  client.send({ action: 'unsubscribe', params: 'T.AAPL' });
  await client.untilMessage('unsubscribed to: T.AAPL');
  simulator.dropConnections(1);
  expect(await Promise.all(waiting)).toEqual([
    { connection: 1, cluster: 'stocks' },
    { connection: 1, cluster: 'stocks' },
    { connection: 1, cluster: 'stocks', pairs: ['Q.AAPL'] },
    { connection: 1, cluster: 'stocks', pairs: ['T.AAPL'] },
    { connection: 1, cluster: 'stocks', code: 1006, cause: 'fault' },
  ]);
  expect(await client.closed).toBe(1006);
  expect(simulator.readStats()).toMatchObject({ connections: [], connectionsOpened: 1, events: 5, frames: 5 });
});

test('options out of their range are all named', async () => {
  await expect(startSimulator({ symbols: 0, eventsPerSecond: 1e9, frameSliceMs: 1.5 })).rejects.toThrow(
    /symbols is 0.*eventsPerSecond is 1000000000.*frameSliceMs is 1\.5/,
  );
});

test('closing cuts the connections, frees the port, and may be repeated', async () => {
  const simulator = await startSimulator({ tape: false });
  const client = await RawClient.login(`${simulator.wsUrl}/stocks`);
  await Promise.all([simulator.close(), simulator.close()]);
  expect(await client.closed).toBe(1006);
  const again = await startSimulator({ tape: false, port: Number(new URL(simulator.restUrl).port) });
  await again.close();
});
