import { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { ManualTimers } from '../../test/manual-time.ts';
import { CLOSE, RawFrames, TEXT } from '../../test/raw-frames.ts';
import { startTestTapeql, type TestTapeql } from '../../test/tapeql.ts';
import { makeWireTrade } from '../../test/wire-samples.ts';

let tapeql: TestTapeql;
beforeAll(async () => {
  // No ping comes between the frames that are counted.
  tapeql = await startTestTapeql({ tuning: { connectionTimers: new ManualTimers() } });
});
afterAll(() => tapeql[Symbol.asyncDispose]());
afterEach(() => tapeql.untilIdle());

/** What the server writes to this connection from now on, each time as one piece. */
function watchWrites({ tcp }: RawFrames) {
  const spy = vi.spyOn(Socket.prototype, 'write');
  const { localPort } = tcp;
  return {
    list: () =>
      spy.mock.contexts.flatMap((socket, index) =>
        (socket as Socket).remotePort === localPort && (socket as Socket).localPort === tcp.remotePort
          ? [(spy.mock.calls[index]![0] as Uint8Array).length]
          : [],
      ),
    [Symbol.dispose]: () => spy.mockRestore(),
  };
}

describe('the frames of a WebSocket', () => {
  // Of the long ones the answer is longer than the question, which has a bound of its own.
  it.each([
    ...[124, 125, 126, 127].map((size) => [size, 1] as const),
    ...[65_533, 65_534, 65_535, 65_536, 65_537].map((size) => [size, 40] as const),
  ])('are whole at %i bytes', async (size, times) => {
    const names = Array.from({ length: times }, (_, index) => `f${index}`);
    const status = `subscription { s: serviceStatus { ${names.map((name) => `${name}: feed`).join(' ')} } }`;
    const payloadSent = { data: { s: Object.fromEntries(names.map((name) => [name, 'SIMULATED'])) } };
    const sizeWith = (id: string): number =>
      Buffer.byteLength(JSON.stringify({ id, type: 'next', payload: payloadSent }));
    await using raw = await RawFrames.connect(tapeql.webSocketUrl);
    for (const fill of ['x', 'é', '🍐', '"', '\u0000']) {
      // Bytes of which each takes one or more; the rest is filled up.
      let id = '';
      const step = sizeWith(fill) - sizeWith('');
      id = fill.repeat(Math.min(Math.floor((size - sizeWith('')) / step), 20_000));
      id += '.'.repeat(size - sizeWith(id));
      raw.subscribe(id, status);
      const { opcode, payload } = await raw.next();
      expect(opcode).toBe(TEXT);
      expect(payload.length).toBe(size);
      expect(JSON.parse(payload.toString())).toEqual({
        id,
        type: 'next',
        payload: payloadSent,
      });
      raw.send({ id, type: 'complete' });
    }
  });

  it('of one turn leave with one write: a print for 50 subscriptions', async () => {
    await using raw = await RawFrames.connect(tapeql.webSocketUrl);
    const ids = Array.from({ length: 50 }, (_, index) => `${index} ${'ü🍐"'.repeat(index)}`);
    for (const [index, id] of ids.entries()) {
      // Some share a plan, some have one of their own.
      raw.subscribe(
        id,
        `subscription { ${'a'.repeat(1 + (index % 5))}: trades(symbols: ["AAPL", "S${index}"]) { price } }`,
      );
    }
    await tapeql.untilOpen(50);
    await tapeql.untilWatched(['AAPL']);
    using writes = watchWrites(raw);
    for (const price of [1, 2, 3]) {
      tapeql.simulator.push([makeWireTrade('AAPL', { p: price })]);
      const messages = [];
      while (messages.length < 50) messages.push(await raw.nextMessage());
      expect(new Set(messages.map(({ id }) => id as string))).toEqual(new Set(ids));
      for (const { payload } of messages) expect(Object.values(payload.data)).toEqual([{ price }]);
      expect(writes.list()).toHaveLength(price);
    }
  });

  it('of a burst that is longer than what is gathered keep their order', async () => {
    await using raw = await RawFrames.connect(tapeql.webSocketUrl);
    const alias = 'x'.repeat(1000);
    for (const id of ['a', 'b', 'c'])
      raw.subscribe(id, `subscription { trades(symbols: ["AAPL"]) { ${alias}: price } }`);
    await tapeql.untilOpen(3);
    await tapeql.untilWatched(['AAPL']);
    const prices = Array.from({ length: 300 }, (_, index) => index + 1);
    tapeql.simulator.push(prices.map((price) => makeWireTrade('AAPL', { p: price })));
    const got = new Map<string, number[]>();
    for (let count = 0; count < 900; count++) {
      const { id, payload } = await raw.nextMessage();
      got.set(id, [...(got.get(id) ?? []), payload.data.trades[alias]]);
    }
    expect([...got.values()]).toEqual([prices, prices, prices]);
  });

  it('end with what ends them: after `complete`, or an `error`, nothing of that id comes', async () => {
    await using raw = await RawFrames.connect(tapeql.webSocketUrl);
    const trades = 'subscription { trades(symbols: ["AAPL"]) { price } }';
    raw.subscribe('ended', trades);
    raw.subscribe('refused', 'subscription { trades(symbols: []) { price } }');
    raw.subscribe('invalid', 'subscription { nothing }');
    raw.subscribe('asked', '{ serviceStatus { state } }');
    raw.subscribe('lives', trades);
    await tapeql.untilOpen(2);
    await tapeql.untilWatched(['AAPL']);
    tapeql.simulator.push([makeWireTrade('AAPL', { p: 1 })]);
    raw.send({ id: 'ended', type: 'complete' });
    await tapeql.untilOpen(1);
    tapeql.simulator.push([makeWireTrade('AAPL', { p: 2 })]);
    for (;;) {
      const { id, type, payload } = await raw.nextMessage();
      if (type === 'next' && id === 'lives' && payload.data.trades.price === 2) break;
    }
    raw.send({ type: 'ping' });
    while ((await raw.nextMessage()).type !== 'pong');
    const messages = raw.frames.map(({ payload }) => JSON.parse(payload.toString()));
    const typesOf = (id: string): string[] => messages.filter((one) => one.id === id).map(({ type }) => type);
    expect(typesOf('invalid')).toEqual(['error']);
    // An error of the resolver is a result of the operation.
    expect(typesOf('refused')).toEqual(['next', 'complete']);
    expect(typesOf('asked')).toEqual(['next', 'complete']);
    expect(['', 'next']).toContain(typesOf('ended').join());
    expect(typesOf('lives')).toEqual(['next', 'next']);
  });
});

it('what was gathered when the server stops comes before the close frame', async () => {
  await using own = await startTestTapeql();
  await using raw = await RawFrames.connect(own.webSocketUrl);
  for (let id = 0; id < 50; id++) raw.subscribe(String(id), 'subscription { serviceStatus { state } }');
  await own.untilOpen(50);
  await own.stop();
  let last = await raw.next();
  const told: string[] = [];
  for (; last.opcode === TEXT; last = await raw.next()) {
    const { type, id, payload } = JSON.parse(last.payload.toString());
    if (type === 'next' && payload.data.serviceStatus.state === 'SHUTTING_DOWN') told.push(id);
  }
  expect(last.opcode).toBe(CLOSE);
  expect(last.payload.readUInt16BE(0)).toBe(1001);
  expect(new Set(told).size).toBe(50);
  // After a close frame nothing may follow.
  await expect(raw.next()).rejects.toThrow('the connection ended');
});
