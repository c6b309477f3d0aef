import { writerChannel, WriterSupersededError } from './bus.ts';
import type { BusWriter, WriterLease } from './bus.ts';
import { codecs } from './codec.ts';
import { leaseKey, leaseTokenKey } from './keys.ts';
import type { RedisClient } from './redis-client.ts';
import { acquireLease, releaseLease, renewLease, runScript } from './redis-scripts.ts';

export type RedisLeaseOptions = {
  readonly redis: RedisClient;
  readonly process: string;
  readonly ttlMs: number;
  /** The highest token that was met: a new one is above it. */
  readonly above: number;
  /** What the writer writes with, under its token. */
  readonly openWriter: (token: number) => BusWriter;
  /** Called with the token of a newer writer that was met. */
  readonly onSuperseded: (token: number) => void;
  /** Called when the role is known to be lost or was given up. */
  readonly onEnd: (token: number) => void;
};

const KEYS = [leaseKey, leaseTokenKey];

/** The role of the single writer as a key in Redis that expires: `null` where another process holds it. */
export async function acquireRedisLease(options: RedisLeaseOptions): Promise<WriterLease | null> {
  const { redis, process, ttlMs, above, openWriter, onSuperseded, onEnd } = options;
  const reply = await runScript(redis, acquireLease, KEYS, [process, ttlMs, above]);
  if (typeof reply !== 'string') return null;
  const token = Number(reply);
  let isSuperseded = false;
  const watch = async <T>(write: Promise<T>): Promise<T> => {
    try {
      return await write;
    } catch (error) {
      if (error instanceof WriterSupersededError) {
        isSuperseded = true;
        onSuperseded(error.token);
      }
      throw error;
    }
  };
  const writer = openWriter(token);
  return {
    token,
    writer: {
      publishQuotes: (quotes) => watch(writer.publishQuotes(quotes)),
      append: (entries) => watch(writer.append(entries)),
      publishStatus: (status) => watch(writer.publishStatus(status)),
      publishDemandTotals: (changed) => watch(writer.publishDemandTotals(changed)),
      readLastEntries: (keys) => watch(writer.readLastEntries(keys)),
      openEpoch: () => watch(writer.openEpoch()),
    },
    async renew() {
      // Whatever the lease says: where a log knows a newer writer, this one is none. It may ask for the role anew.
      const isHeld = !isSuperseded && (await runScript(redis, renewLease, KEYS, [process, ttlMs, token])) === 1;
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
