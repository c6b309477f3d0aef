import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startLedger, type TestLedger, type TestLedgerOptions } from '../../test/ledger.ts';
import { overrideBus } from '../../test/override-bus.ts';
import { startPostgres, type TestPostgres } from '../../test/postgres.ts';
import { until } from '../../test/until.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import { startRedis, type TestRedis } from '../../test/redis.ts';
import { type Bus, userChannel, type UserEvent } from '../bus/bus.ts';
import { createRedisBus } from '../bus/redis.ts';
import { ReplayedLog } from '../delivery/replayed-log.ts';
import { ViewerStreams } from '../delivery/viewer-streams.ts';
import type { Notification } from './notification.ts';

let postgres: TestPostgres;
let redis: TestRedis;
const closing: (() => Promise<void>)[] = [];

beforeAll(async () => {
  [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
});
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});
afterAll(async () => {
  await postgres.stop();
  await redis.stop();
});

function openBus(): Bus {
  const bus = createRedisBus({ url: redis.url, historyMs: 1000, logger: recordingLogger().logger });
  closing.push(() => bus.close());
  return bus;
}

async function open(options: TestLedgerOptions): Promise<TestLedger> {
  const ledger = await startLedger(options);
  ledger.market.set('AAPL', { bid: 99, ask: 100 });
  closing.push(() => ledger.close());
  return ledger;
}

/** What a subscription of the user reads. */
async function subscribe({ ledger }: TestLedger, user: string, after: { epoch: string; offset: number } | null) {
  const streams = new ViewerStreams();
  const stream = await streams.openLog<Notification>(
    {
      readEnd: () => ledger.readLogEnd(user),
      read: (offset, limit) => ledger.readNotifications(user, offset, limit),
      listen: (listener) => ledger.listenForNews(user, listener),
    },
    after,
  );
  const read: Notification[] = [];
  stream.attach({ ready: true, take: (notification) => void read.push(notification), end: () => undefined });
  closing.push(() => streams.close());
  return { read, stream };
}

function offsets(notifications: readonly { offset: number }[]): number[] {
  return notifications.map(({ offset }) => offset);
}

/** Each order waits for a connection to the database, and gives up after a time: so not all of them wait at once. */
async function placeMany(count: number, place: () => Promise<unknown>): Promise<void> {
  for (let placed = 0; placed < count; placed += 10) await Promise.all(Array.from({ length: 10 }, place));
}

function upTo(count: number, from = 1): number[] {
  return Array.from({ length: count - from + 1 }, (_, index) => from + index);
}

describe('notifications', () => {
  it('reach subscribers on every process, each once and in order, from the cursor on', async () => {
    const url = await postgres.createDatabase();
    const [one, other] = [await open({ url, bus: openBus() }), await open({ url, bus: openBus() })];
    const here = await subscribe(one, 'ann', null);
    const there = await subscribe(other, 'ann', null);
    const stranger = await subscribe(other, 'ben', null);
    for (let count = 0; count < 60; count++) await (count % 2 === 0 ? one : other).place('ann', {});
    const late = await subscribe(other, 'ann', { epoch: here.stream.start.epoch, offset: 55 });
    await placeMany(60, () => one.place('ann', {}));
    await until(() => expect([here.read.length, there.read.length, late.read.length]).toEqual([120, 120, 65]));
    expect(offsets(here.read)).toEqual(upTo(120));
    expect(offsets(there.read)).toEqual(upTo(120));
    expect(offsets(late.read)).toEqual(upTo(120, 56));
    expect(there.read).toEqual(here.read);
    expect(stranger.read).toEqual([]);
  });

  it('miss nothing while Redis is away, and are told in the process that traded', async () => {
    const url = await postgres.createDatabase();
    const [one, other] = [await open({ url, bus: openBus() }), await open({ url, bus: openBus() })];
    await until(() => expect(one.bus.readState().connected && other.bus.readState().connected).toBe(true));
    const here = await subscribe(one, 'ann', null);
    const there = await subscribe(other, 'ann', null);
    await one.place('ann', {});
    await until(() => expect(offsets(there.read)).toEqual([1]));
    await redis.kill();
    for (let count = 0; count < 5; count++) await one.place('ann', {});
    await until(() => expect(offsets(here.read)).toEqual(upTo(6)));
    await redis.restart();
    await until(() => expect(offsets(there.read)).toEqual(upTo(6)));
    await one.place('ann', {});
    await until(() => expect(offsets(there.read)).toEqual(upTo(7)));
    expect(offsets(here.read)).toEqual(upTo(7));
  });

  it('are published by another process where the one that committed them could not', async () => {
    const url = await postgres.createDatabase();
    const events: UserEvent[] = [];
    const listening = openBus();
    await listening.subscribe(userChannel('ann'), (event) => void events.push(event));
    const mute = await open({
      url,
      bus: overrideBus(openBus(), { tell: () => Promise.reject(new Error('out of reach')) }),
    });
    await mute.place('ann', {});
    await mute.place('ann', { side: 'SELL', quantity: '5' });
    await mute.close();
    expect(events).toEqual([]);
    // What is overdue is a matter of the clock: that of the other is three seconds ahead.
    const other = await open({ url, bus: openBus(), now: () => Date.now() + 3_000 });
    other.database.start();
    await until(() => expect(events.map(({ number }) => number)).toEqual([1, 2]));
    expect(events.map(({ notification }) => notification.kind)).toEqual(['TradeExecuted', 'TradeFailed']);
  });

  it('are not published again once they were', async () => {
    const url = await postgres.createDatabase();
    const events: UserEvent[] = [];
    const bus = openBus();
    await bus.subscribe(userChannel('ann'), (event) => void events.push(event));
    const first = await open({ url, bus });
    await first.place('ann', {});
    await until(() => expect(events).toHaveLength(1));
    await first.close();
    const second = await open({ url, bus, now: () => Date.now() + 3_000 });
    await second.place('ann', {});
    await until(() => expect(events).toHaveLength(2));
    expect(events.map(({ number }) => number)).toEqual([1, 2]);
  });

  it.each([
    ['of another user', async (ledger: TestLedger) => ledger.ledger.readLogEnd('ben')],
    ['of another database', async () => ({ epoch: 'n-another', offset: 0 })],
    ['from the future', async (ledger: TestLedger) => ({ ...(await ledger.ledger.readLogEnd('ann')), offset: 7 })],
  ])('refuse a cursor %s, and name the one to begin with', async (_whose, makeCursor) => {
    const ledger = await open({ url: await postgres.createDatabase(), bus: openBus() });
    await ledger.place('ann', {});
    await ledger.place('ben', {});
    const { epoch } = await ledger.ledger.readLogEnd('ann');
    const cursor = await makeCursor(ledger);
    await expect(subscribe(ledger, 'ann', cursor)).rejects.toMatchObject({
      code: 'HISTORY_EXPIRED',
      details: { oldestCursor: Buffer.from(`${epoch}:0`).toString('base64url') },
    });
    const { read } = await subscribe(ledger, 'ann', { epoch, offset: 0 });
    await until(() => expect(offsets(read)).toEqual([1]));
  });

  it('wait in the database for a reader that takes nothing', async () => {
    const ledger = await open({ url: await postgres.createDatabase(), bus: openBus() });
    const { epoch } = await ledger.ledger.readLogEnd('ann');
    let isReady = false;
    const read: Notification[] = [];
    const stream = new ReplayedLog<Notification>({
      start: { epoch, offset: 0 },
      read: (offset, limit) => ledger.ledger.readNotifications('ann', offset, limit),
      onEnd: () => undefined,
    });
    stream.attach({
      get ready() {
        return isReady;
      },
      take: (notification) => void read.push(notification),
      end: () => undefined,
    });
    await placeMany(150, () => ledger.place('ann', { side: 'SELL' }));
    stream.wake(150);
    expect(stream.depth).toBe(0);
    isReady = true;
    stream.pull();
    await until(() => expect(offsets(read)).toEqual(upTo(150)));
    await stream.return();
  });
});
