import { OFFSETS_PER_MS } from '../market/log.ts';
import { completeKey } from './keys.ts';
import { decodeLogEnd } from './log-mark.ts';
import type { KeptLogEnd } from './log-mark.ts';
import { run } from './redis-client.ts';
import type { RedisClient } from './redis-client.ts';

/** A writer may have died before it could say that all was written: what is so old is taken for complete. */
const MAX_WAIT_MS = 6_000;
/** So long the writer is given to look at a server that has come to its slots by a failover. */
const WRITER_MS = 10_000;

/**
 * How far the logs of a Cluster may be read. Its nodes are written side by side: a reader that found an entry on one of them while
 * the ones before it are still on their way to another would resume behind those, and never get them. The same where a
 * replica has taken over that lacks the newest entries, until the writer has appended them again.
 */
export class LogEnds {
  readonly #redis: RedisClient;
  readonly #clock: () => number;
  readonly #heardThrough: () => number;
  #highest = 0;
  /** The question that was asked in this turn of the event loop. */
  #asked: Promise<KeptLogEnd | null> | null = null;
  /** Since when (Unix ms) the writer is waited for, by the id of a node. */
  readonly #unseen = new Map<string, number>();

  /** `heardThrough`: the offset up to which all entries have been heard live in this process. */
  constructor(redis: RedisClient, clock: () => number, heardThrough: () => number) {
    this.#redis = redis;
    this.#clock = clock;
    this.#heardThrough = heardThrough;
  }

  /** The id up to which the streams may be read, to be asked before that. Rejects where the writer has yet to look at one. */
  async find(keys: readonly string[]): Promise<string> {
    if (!this.#redis.failsOver) return '+';
    const end = await this.#ask();
    // Where nothing is said of it, nothing was written yet, or it was lost: then what was last said holds.
    if (end !== null) {
      for (const key of keys) this.#assertSeen(this.#redis.nodeOf(this.#redis.slotOf(key)), end);
      this.#highest = Math.max(this.#highest, end.offset);
    }
    // What was heard before somebody joined, the history must have.
    this.#highest = Math.max(this.#highest, this.#heardThrough());
    return String(Math.max(this.#highest, (this.#clock() - MAX_WAIT_MS) * OFFSETS_PER_MS));
  }

  #ask(): Promise<KeptLogEnd | null> {
    if (this.#asked === null) {
      this.#asked = run<string | null>(this.#redis, 'get', completeKey).then((text) =>
        text === null ? null : decodeLogEnd(text),
      );
      setImmediate(() => (this.#asked = null));
    }
    return this.#asked;
  }

  #assertSeen(node: string | null, end: KeptLogEnd): void {
    const id = node ?? '';
    if (end.nodes.includes(id)) {
      this.#unseen.delete(id);
      return;
    }
    const now = this.#clock();
    const since = this.#unseen.get(id) ?? now;
    this.#unseen.set(id, since);
    // Later on there is no writer, or it does not come to it.
    if (now - since < WRITER_MS)
      throw new Error('The writer of the log has yet to look at a node that has taken over.');
  }
}
