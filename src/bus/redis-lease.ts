import { writerChannel } from './bus.ts';
import type { BusWriter, WriterLease } from './bus.ts';
import { codecs } from './codec.ts';
import { leaseKey, leaseTokenKey } from './keys.ts';
import type { RedisClient } from './redis-client.ts';
import { acquireLease, releaseLease, renewLease, runScript } from './redis-scripts.ts';

export type RedisLeaseOptions = {
  readonly redis: RedisClient;
  readonly process: string;
  readonly ttlMs: number;
  /** What the writer writes with, under its token. */
  readonly openWriter: (token: number) => BusWriter;
  /** Called when the role is known to be lost or was given up. */
  readonly onEnd: (token: number) => void;
};

const KEYS = [leaseKey, leaseTokenKey];

/** The role of the single writer as a key in Redis that expires: `null` where another process holds it. */
export async function acquireRedisLease(options: RedisLeaseOptions): Promise<WriterLease | null> {
  const { redis, process, ttlMs, openWriter, onEnd } = options;
  const reply = await runScript(redis, acquireLease, KEYS, [process, ttlMs]);
  if (typeof reply !== 'string') return null;
  const token = Number(reply);
  return {
    token,
    writer: openWriter(token),
    async renew() {
      const isHeld = (await runScript(redis, renewLease, KEYS, [process, ttlMs, token])) === 1;
      if (!isHeld) onEnd(token);
      return isHeld;
    },
    async release() {
      onEnd(token);
      const message = codecs.writer.encode({ released: process });
      await runScript(redis, releaseLease, KEYS, [process, token, writerChannel.name, message]);
    },
  };
}
