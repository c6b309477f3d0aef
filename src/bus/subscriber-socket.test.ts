import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { letRun, ManualTimers } from '../../test/manual-time.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import { startRedis } from '../../test/redis.ts';
import type { TestRedis } from '../../test/redis.ts';
import { SubscriberSocket } from './subscriber-socket.ts';
import { until } from '../../test/until.ts';

const { logger, records } = recordingLogger();
let server: TestRedis;
let raw: Redis;
const opened: SubscriberSocket[] = [];

beforeAll(async () => {
  server = await startRedis();
  raw = new Redis(server.url, { retryStrategy: () => 20, maxRetriesPerRequest: null });
  raw.on('error', () => {});
});
afterAll(async () => {
  raw.disconnect();
  await server.stop();
});
beforeEach(async () => {
  records.length = 0;
  await raw.config('RESETSTAT');
});
afterEach(() => {
  for (const socket of opened.splice(0)) socket.close();
});

function open(url = server.url) {
  const heard: string[] = [];
  const told: string[] = [];
  const timers = new ManualTimers();
  const socket = new SubscriberSocket({
    url,
    name: 'tapeql-test',
    pingIntervalMs: 50,
    pingDeadlineMs: 150,
    random: () => 0,
    timers,
    logger,
    onConnect: () => void told.push('connected'),
    onDisconnect: (reason) => void told.push(`away: ${reason}`),
    onMessage: (channel, data) => void heard.push(`${channel} ${data.toString()}`),
    onSubscribed: (channel) => void told.push(`subscribed ${channel}`),
    onUnsubscribed: (channel) => void told.push(`unsubscribed ${channel}`),
    onMoved: (slot, address) => void told.push(`moved ${slot} ${address}`),
  });
  opened.push(socket);
  return { socket, heard, told, timers };
}

describe('a subscriber connection', () => {
  it('carries classic and sharded channels side by side, and no more once they are given up', async () => {
    const { socket, heard, told } = open();
    await expect.poll(() => told).toEqual(['connected']);
    socket.subscribe('sharded', 'prices');
    socket.subscribe('classic', 'prices of all');
    await expect.poll(() => told.slice(1)).toEqual(['subscribed prices', 'subscribed prices of all']);
    await raw.spublish('prices', 'é1');
    await raw.publish('prices of all', '2');
    await expect.poll(() => heard).toEqual(['prices é1', 'prices of all 2']);
    socket.unsubscribe('sharded', 'prices');
    socket.unsubscribe('classic', 'prices of all');
    await expect.poll(() => told.slice(3)).toEqual(['unsubscribed prices', 'unsubscribed prices of all']);
    expect(await raw.spublish('prices', '3')).toBe(0);
    expect((await raw.client('LIST')) as string).toContain('name=tapeql-test');
  });

  it('comes back after a loss, and finds a peer that no longer answers', async () => {
    onTestFinished(() => server.restart());
    const { socket, told, timers } = open();
    await expect.poll(() => told).toEqual(['connected']);
    server.pause();
    timers.advance(50);
    timers.advance(149);
    await letRun();
    expect(told).toEqual(['connected']);
    timers.advance(1);
    await expect.poll(() => told.slice(1)).toEqual(['away: Redis did not answer within 150 ms']);
    expect(socket.connected).toBe(false);
    server.resume();
    timers.advance(25);
    await expect.poll(() => told.slice(2)).toEqual(['connected']);
    expect(socket.reconnects).toBe(1);
    await server.kill();
    await expect.poll(() => told.slice(3)).toEqual(['away: the connection to Redis was lost']);
    expect(socket.isHopeful || socket.connected).toBe(false);
    timers.advance(25);
    await expect.poll(() => told.slice(4)).toEqual([expect.stringContaining('away: connect ECONNREFUSED')]);
    expect(socket.isHopeful || socket.connected).toBe(false);
    await server.restart();
    expect(timers.delays).toEqual([50]);
    timers.advance(50);
    await expect.poll(() => told.slice(5)).toEqual(['connected']);
  });

  it('is quiet for long where nothing is wanted, and stays', async () => {
    const { told, timers } = open();
    await expect.poll(() => told).toEqual(['connected']);
    const countPings = async () => Number(/cmdstat_ping:calls=(\d+)/.exec(await raw.info('commandstats'))?.[1] ?? 0);
    for (let ping = 1; ping <= 4; ping += 1) {
      expect(timers.delays).toEqual([50]);
      timers.advance(50);
      await expect.poll(countPings).toBe(ping);
      // By then the answer has been sent, and these turns of the event loop read it.
      await raw.time();
      await letRun();
      timers.advance(150);
      await letRun();
    }
    expect(told).toEqual(['connected']);
  });

  it('says who it is, and tells neither the password nor that it was wrong more than it must', async () => {
    onTestFinished(() => server.restart());
    await raw.call('ACL', 'SETUSER', 'ann', 'on', '>right/secret', '~*', '&*', '+@all');
    await raw.config('SET', 'requirepass', 'main-secret');
    const named = open(`redis://ann:right%2Fsecret@127.0.0.1:${server.port}`);
    const unnamed = open(`redis://:main-secret@127.0.0.1:${server.port}`);
    const wrong = open(`redis://:wrong-secret@127.0.0.1:${server.port}`);
    await expect.poll(() => [named.told, unnamed.told]).toEqual([['connected'], ['connected']]);
    await until(() => expect(wrong.told[0]).toMatch(/^away: WRONGPASS/));
    expect(wrong.told).not.toContain('connected');
    expect(JSON.stringify([records, wrong.told])).not.toMatch(/secret/);
  });

  it('is silent once it is closed', async () => {
    const { socket, told, timers } = open();
    await expect.poll(() => told).toEqual(['connected']);
    socket.close();
    expect(timers.delays).toEqual([]);
    socket.subscribe('classic', 'anything');
    await expect.poll(async () => (await raw.client('LIST')) as string).not.toContain('name=tapeql-test');
    expect(told).toEqual(['connected']);
    expect(socket.isHopeful).toBe(false);
  });
});
