import { afterEach, describe, expect, test } from 'vitest';
import { FAULTS, FaultSwitches, parseFault } from './faults.ts';
import type { FaultName, FaultValue } from './faults.ts';
import { RawClient } from '../../../test/raw-exchange-client.ts';
import { startSimulator } from './simulator.ts';
import type { Simulator, SimulatorOptions } from './simulator.ts';
import { until } from '../../../test/until.ts';

const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function start(options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await startSimulator({ symbols: 5, eventsPerSecond: 2_000, maxConnectionsPerKey: 10, ...options });
  open.push(simulator);
  return simulator;
}

async function connect(simulator: Simulator, cluster = 'stocks'): Promise<RawClient> {
  const client = await RawClient.connect(`${simulator.wsUrl}/${cluster}`);
  open.push(client);
  return client;
}

async function login(simulator: Simulator, ...pairs: string[]): Promise<RawClient> {
  const client = await RawClient.login(`${simulator.wsUrl}/stocks`);
  open.push(client);
  if (pairs.length > 0) await client.subscribe(...pairs);
  return client;
}

/** A listener to everything, with the fault on from before the first event. */
async function listen(fault: FaultName, value?: FaultValue): Promise<RawClient> {
  const simulator = await start();
  simulator.setFault(fault, value);
  return login(simulator, 'T.*', 'Q.*', 'A.*');
}

function get(simulator: Simulator, path: string): Promise<Response> {
  return fetch(simulator.restUrl + path, { headers: { authorization: 'Bearer key' } });
}

describe('connections', () => {
  test('drop-every cuts each when it is old', async () => {
    const simulator = await start();
    const client = await login(simulator);
    const ended = simulator.waitFor('closed');
    simulator.setFault('drop-every', '30ms');
    expect(await ended).toMatchObject({ cause: 'fault' });
    expect(await client.closed).toBe(1006);
  });

  test('idle-drop cuts one without data, but not one with', async () => {
    const simulator = await start();
    const busy = await login(simulator, 'Q.*');
    await busy.untilElement(({ ev }) => ev === 'Q');
    const idle = await login(simulator);
    simulator.setFault('idle-drop', '300ms');
    expect(await simulator.waitFor('closed')).toMatchObject({ connection: 2, cause: 'fault' });
    expect(await idle.closed).toBe(1006);
    expect(simulator.readStats().connections.map(({ id }) => id)).toEqual([1]);
  });

  test('refuse-connections resets new ones', async () => {
    const simulator = await start();
    simulator.setFault('refuse-connections');
    const client = await connect(simulator);
    expect(await client.closed).toBe(1006);
    expect(client.frames).toEqual([]);
    await expect(get(simulator, '/v1/marketstatus/now')).rejects.toThrow('fetch failed');
    simulator.clearFault();
    expect((await login(simulator)).elements).toHaveLength(2);
  });

  test('upgrade-status refuses the upgrade by HTTP', async () => {
    const simulator = await start();
    simulator.setFault('upgrade-status', 503);
    const client = await connect(simulator);
    await client.closed;
    expect(simulator.readStats().connectionsOpened).toBe(0);
  });

  test('stall leaves them open in silence, without pongs', async () => {
    const simulator = await start();
    const client = await login(simulator, 'T.*', 'Q.*');
    const other = await login(simulator);
    simulator.setFault('stall');
    let pongs = 0;
    client.webSocket.on('pong', () => (pongs += 1));
    client.webSocket.ping();
    client.send({ action: 'subscribe', params: 'T.AAPL' });
    // New connections are let in and hear nothing either.
    const late = await connect(simulator);
    late.auth('key');
    await expect(get(simulator, '/v1/marketstatus/now')).resolves.toMatchObject({ status: 200 });
    // What was on its way before the fault has arrived by now.
    const frames = client.frames.length;
    await get(simulator, '/v1/marketstatus/now');
    expect(client.frames).toHaveLength(frames);
    simulator.clearFault('stall');
    await other.subscribe('T.SPY');
    await client.until(() => client.frames.length > frames);
    expect(pongs).toBe(0);
    expect(late.frames).toEqual([]);
  });

  test('mute stops data alone', async () => {
    const simulator = await start();
    simulator.setFault('mute');
    const client = await login(simulator, 'T.*', 'Q.*');
    const pong = new Promise((resolve) => client.webSocket.once('pong', resolve));
    client.webSocket.ping();
    await pong;
    await client.subscribe('A.*');
    expect(client.elements.every(({ ev }) => ev === 'status')).toBe(true);
  });

  test('no-pong leaves pings unanswered while data flows', async () => {
    const simulator = await start();
    simulator.setFault('no-pong');
    const client = await login(simulator, 'Q.*');
    let pongs = 0;
    client.webSocket.on('pong', () => (pongs += 1));
    client.webSocket.ping();
    await client.untilCount(20, ({ ev }) => ev === 'Q');
    expect(pongs).toBe(0);
  });
});

describe('authentication', () => {
  test('max-connections ends the connection after its key was accepted', async () => {
    const simulator = await start();
    simulator.setFault('max-connections');
    const client = await login(simulator);
    expect(await client.closed).toBe(1008);
    expect(client.elements.at(-1)).toMatchObject({ status: 'max_connections' });
  });

  test.each([
    ['auth-failed', 'auth_failed'],
    ['auth-timeout', 'auth_timeout'],
  ] as const)('%s answers %s and cuts', async (fault, status) => {
    const simulator = await start();
    simulator.setFault(fault);
    const client = await connect(simulator);
    client.auth('key');
    expect(await client.closed).toBe(1006);
    expect(client.elements.at(-1)).toMatchObject({ ev: 'status', status });
  });

  test('no-auth-answer and no-connected say nothing', async () => {
    const simulator = await start({ authTimeoutMs: 200 });
    simulator.setFault('no-connected');
    simulator.setFault('no-auth-answer');
    const client = await connect(simulator);
    client.auth('key');
    await client.closed;
    expect(client.elements.map(({ status }) => status)).toEqual(['auth_timeout']);
  });

  test('unknown-status adds statuses that no document knows', async () => {
    const simulator = await start();
    simulator.setFault('unknown-status');
    const client = await login(simulator, 'T.AAPL');
    const strange = await client.untilCount(2, ({ status }) => status === 'weather_report');
    expect(strange).toHaveLength(2);
  });

  test('no-acks subscribes without saying so', async () => {
    const simulator = await start();
    simulator.setFault('no-acks');
    const client = await login(simulator);
    client.send({ action: 'subscribe', params: 'Q.*' });
    await client.untilElement(({ ev }) => ev === 'Q');
    expect(client.elements.filter(({ status }) => status === 'success')).toEqual([]);
  });

  test('ack-per-frame sends each ack alone', async () => {
    const simulator = await start({ tape: false });
    simulator.setFault('ack-per-frame');
    const client = await login(simulator, 'T.AAPL', 'Q.AAPL', 'A.AAPL');
    expect(client.frames.slice(2).map((frame) => (JSON.parse(frame) as unknown[]).length)).toEqual([1, 1, 1]);
  });
});

describe('events', () => {
  test('malformed-element puts an element that is none into frames that are good', async () => {
    const client = await listen('malformed-element', 0.5);
    const isGood = (element: unknown): boolean => {
      if (typeof element !== 'object' || element === null) return false;
      const { ev, sym, p, bp, s } = element as Record<string, unknown>;
      return (
        typeof ev === 'string' && typeof sym === 'string' && (ev === 'A' ? typeof s : typeof (p ?? bp)) === 'number'
      );
    };
    const mixed = await client.until(() =>
      client.frames
        .slice(3)
        .map((frame) => JSON.parse(frame) as unknown[])
        .find((frame) => frame.length > 1 && !isGood(frame.at(-1)) && isGood(frame[0])),
    );
    expect(mixed.slice(0, -1).every(isGood)).toBe(true);
  });

  test('bad-json and binary-frame send frames that are no JSON', async () => {
    const simulator = await start();
    simulator.setFault('bad-json', 0.2);
    simulator.setFault('binary-frame', 0.2);
    const client = await login(simulator, 'Q.*');
    await client.until(() => client.frames.includes('[{"ev":"T","sym":"AAPL","p":'));
    await client.until(() => client.frames.includes('(binary)'));
    expect(await client.untilCount(50, ({ ev }) => ev === 'Q')).not.toEqual([]);
  });

  test('duplicate sends events twice', async () => {
    const client = await listen('duplicate');
    const trades = await client.untilCount(20, ({ ev }) => ev === 'T');
    const ids = trades.slice(0, 20).map(({ sym, i }) => `${sym} ${i}`);
    expect(new Set(ids).size).toBe(10);
  });

  test('out-of-order puts times back', async () => {
    const client = await listen('out-of-order', 0.3);
    for (const kind of ['T', 'Q']) {
      const of = await client.until(() => {
        const told = client.elements.filter(({ ev, sym }) => ev === kind && sym === 'SPY');
        return told.some(({ t }, index) => index > 0 && Number(t) < Number(told[index - 1]!['t']) - 1_000) && told;
      });
      expect(of.filter(({ t, pt }) => kind === 'T' && Number(pt) > Number(t))).toEqual([]);
    }
  });

  test('late-bar sends bars after those of later windows', async () => {
    // It goes on with each look of the exchange at it, so that the tape keeps up with it however slow the machine is.
    let now = Date.parse('2026-03-02T15:00:00Z');
    const simulator = await start({ frameSliceMs: 1, clock: { now: () => (now += 40) } });
    simulator.setFault('late-bar', 1, 1);
    const client = await login(simulator, 'A.SPY');
    const starts = await client.until(() => {
      const told = client.elements.filter(({ ev }) => ev === 'A').map(({ s }) => Number(s));
      return told.length > 5 && told;
    });
    const inOrder = starts.toSorted((one, other) => one - other);
    expect(starts).not.toEqual(inOrder);
    expect(new Set(starts).size).toBe(starts.length);
  });

  test('unknown-ids brings conditions and exchanges that no table knows', async () => {
    const client = await listen('unknown-ids', 0.5);
    const strange = await client.untilElement(({ ev, x }) => ev === 'T' && x === 99);
    expect(strange['c']).toContain(250);
    expect(await client.untilElement(({ ev, x }) => ev === 'T' && x !== 99)).toBeDefined();
  });

  test('zero-quote has no bid', async () => {
    const client = await listen('zero-quote', 0.5);
    const quote = await client.untilElement(({ ev, bp }) => ev === 'Q' && bp === 0);
    expect(quote).toMatchObject({ bs: 0, ap: expect.any(Number) });
  });

  test('crossed-quote has its bid above its ask', async () => {
    const client = await listen('crossed-quote', 0.5);
    const quote = await client.untilElement(({ ev, bp, ap }) => ev === 'Q' && Number(bp) > Number(ap));
    expect(Number(quote['ap'])).toBeGreaterThan(0);
  });

  test('fractional-bar-size writes 12.0 where 12 is meant', async () => {
    const client = await listen('fractional-bar-size');
    const frame = await client.until(() => client.frames.find((text) => text.includes('"ev":"A"')));
    expect(frame).toMatch(/"z":\d+\.0,/);
  });

  test('numeric-id writes trade ids as numbers', async () => {
    const client = await listen('numeric-id');
    const trade = await client.untilElement(({ ev }) => ev === 'T');
    expect(typeof trade['i']).toBe('number');
  });

  test('halt stops a symbol until it is cleared', async () => {
    const simulator = await start();
    const client = await login(simulator, 'LULD.*', 'T.*', 'Q.*');
    simulator.setFault('halt', 'SPY,TSLA');
    // TSLA is listed at Nasdaq, whose bands say so; SPY is not.
    expect(await client.untilElement(({ ev, T }) => ev === 'LULD' && T === 'TSLA')).toMatchObject({ i: [17] });
    await client.untilElement(({ ev, sym, c }) => ev === 'Q' && sym === 'SPY' && c === 43);
    const from = client.elements.findLastIndex(({ c }) => c === 43);
    await client.until(() => client.elements.slice(from).filter(({ ev }) => ev === 'T').length > 30);
    const since = client.elements.slice(from + 1).filter(({ ev }) => ev === 'T' || ev === 'Q');
    const heard = new Set(since.map(({ sym }) => sym));
    expect(heard).toEqual(new Set(['AAPL', 'NVDA', 'QQQ']));
    simulator.clearFault('halt');
    await client.untilElement(({ ev, T, i }) => ev === 'LULD' && T === 'TSLA' && String(i) === '18');
    await client.untilElement(({ ev, sym, c }) => ev === 'Q' && sym === 'SPY' && c === 16);
    await client.untilElement(({ ev, sym }) => ev === 'T' && sym === 'SPY', from);
  });
});

describe('REST', () => {
  test.each([401, 403, 404, 429, 500])('rest-status answers %i with the body of the vendor', async (status) => {
    const simulator = await start({ tape: false });
    simulator.setFault('rest-status', status);
    const response = await get(simulator, '/v1/marketstatus/now');
    expect(response.status).toBe(status);
    expect(response.headers.get('retry-after')).toBeNull();
    expect(await response.json()).toMatchObject({ status: expect.any(String) });
  });

  test('rest-retry-after and rest-empty-body go with it', async () => {
    const simulator = await start({ tape: false });
    simulator.setFault('rest-status', 429);
    simulator.setFault('rest-retry-after', '7');
    simulator.setFault('rest-empty-body');
    const response = await get(simulator, '/v1/marketstatus/now');
    expect(response.headers.get('retry-after')).toBe('7');
    expect(await response.text()).toBe('');
  });

  test('a fault for a number of times ends by itself', async () => {
    const simulator = await start({ tape: false });
    simulator.setFault('rest-status', 500, 2);
    const statuses = [];
    for (let count = 0; count < 3; count += 1) statuses.push((await get(simulator, '/v1/marketstatus/now')).status);
    expect(statuses).toEqual([500, 500, 200]);
    expect(simulator.readStats().faults).toEqual({});
  });

  test('rest-path limits the faults to some paths', async () => {
    const simulator = await start({ tape: false });
    simulator.setFault('rest-path', '/v3/trades');
    simulator.setFault('rest-status', 500);
    expect((await get(simulator, '/v3/trades/AAPL')).status).toBe(500);
    expect((await get(simulator, '/v3/quotes/AAPL')).status).toBe(200);
  });

  test('rest-hang never answers', async () => {
    const simulator = await start({ tape: false });
    simulator.setFault('rest-hang');
    const abort = new AbortController();
    const asked = simulator.waitFor('request');
    const response = fetch(`${simulator.restUrl}/v1/marketstatus/now?apiKey=k`, { signal: abort.signal });
    expect(await asked).toEqual({ path: '/v1/marketstatus/now', query: '', status: 0 });
    abort.abort();
    await expect(response).rejects.toThrow('aborted');
  });

  test('rest-latency answers late', async () => {
    const simulator = await start({ tape: false });
    simulator.setFault('rest-latency', '60m', 1);
    const late = get(simulator, '/v1/marketstatus/now').then(
      () => 'answered',
      () => 'failed',
    );
    await until(() => expect(simulator.readStats().faults).toEqual({}));
    // It is overtaken by one that was asked for later, and not answered when the exchange ends.
    expect((await get(simulator, '/v3/trades/AAPL')).status).toBe(200);
    await simulator.close();
    expect(await late).toBe('failed');
  });

  test('rest-latency answers in the end', async () => {
    const simulator = await start({ tape: false });
    simulator.setFault('rest-latency', '1ms');
    expect((await get(simulator, '/v1/marketstatus/now')).status).toBe(200);
  });

  test('rest-bad-json answers half of the body', async () => {
    const simulator = await start({ tape: false });
    simulator.setFault('rest-bad-json');
    const response = await get(simulator, '/v1/marketstatus/now');
    await expect(response.json()).rejects.toThrow(SyntaxError);
  });
});

describe('the switches', () => {
  test('are read from text, with every mistake explained', () => {
    expect(parseFault('drop-every=2m')).toEqual({ name: 'drop-every', value: 120_000 });
    expect(parseFault('drop-every=250ms')).toEqual({ name: 'drop-every', value: 250 });
    expect(parseFault('stall')).toEqual({ name: 'stall', value: true });
    expect(parseFault('duplicate')).toEqual({ name: 'duplicate', value: 1 });
    expect(parseFault('duplicate=0.25')).toEqual({ name: 'duplicate', value: 0.25 });
    expect(parseFault('rest-status=429')).toEqual({ name: 'rest-status', value: 429 });
    expect(parseFault('halt=AAPL,MSFT')).toEqual({ name: 'halt', value: 'AAPL,MSFT' });
    for (const [text, message] of [
      ['nonsense', /no fault is called "nonsense"; there are drop-every, /],
      ['toString', /no fault is called/],
      ['stall=no', /needs no value/],
      ['drop-every', /needs a duration such as/],
      ['drop-every=30', /needs a duration such as/],
      ['duplicate=2', /needs a share/],
      ['duplicate=x', /needs a share/],
      ['rest-status=4', /needs a status/],
      ['halt=', /needs a text/],
    ] as const) {
      expect(() => parseFault(text), text).toThrow(message);
    }
  });

  test('can be set once more, counted down and cleared', () => {
    const switches = new FaultSwitches();
    const changes: unknown[] = [];
    switches.onChange = (name, value) => changes.push([name, value]);
    switches.set('drop-every', 5_000);
    switches.set('stall', true, 2);
    expect(switches.use('stall')).toBe(true);
    expect(switches.any).toBe(true);
    expect(switches.use('stall')).toBe(true);
    expect(switches.use('stall')).toBeNull();
    expect(switches.list()).toEqual({ 'drop-every': 5_000 });
    switches.clear();
    expect(switches.any).toBe(false);
    expect(changes).toEqual([
      ['drop-every', 5_000],
      ['stall', true],
      ['stall', null],
      ['drop-every', null],
    ]);
    expect(() => switches.set('stall', true, 0)).toThrow(RangeError);
  });

  test('can be set while it runs by the control route, without a key', async () => {
    const simulator = await start({ tape: false });
    const control = (init: RequestInit, query = ''): Promise<Response> =>
      fetch(`${simulator.restUrl}/_control/fault${query}`, init);
    const post = (body: string): Promise<Response> => control({ method: 'POST', body });
    expect(await (await post('{"name":"drop-every","value":"30s"}')).json()).toMatchObject({
      on: { 'drop-every': 30_000 },
    });
    expect(await (await post('{"name":"rest-status","value":503,"times":1}')).json()).toMatchObject({
      on: { 'drop-every': 30_000, 'rest-status': 503 },
    });
    expect((await get(simulator, '/v1/marketstatus/now')).status).toBe(503);
    const { on, known } = (await (await control({})).json()) as { on: object; known: object };
    expect(on).toEqual({ 'drop-every': 30_000 });
    expect(Object.keys(known)).toEqual(Object.keys(FAULTS));
    expect((await control({ method: 'DELETE' }, '?name=drop-every')).status).toBe(200);
    expect((await control({ method: 'DELETE' })).status).toBe(200);
    expect(simulator.readStats().faults).toEqual({});
    for (const body of ['', 'null', '{}', '{"name":"nonsense"}', '{"name":"duplicate","value":7}']) {
      expect((await post(body)).status, body).toBe(400);
    }
    expect((await control({ method: 'PUT' })).status).toBe(405);
    expect((await control({ method: 'DELETE' }, '?name=nonsense')).status).toBe(400);
  });

  test('can be on from the start', async () => {
    const simulator = await start({ tape: false, faults: { 'rest-status': 500 } });
    expect((await get(simulator, '/v1/marketstatus/now')).status).toBe(500);
  });
});
