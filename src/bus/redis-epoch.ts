import { randomBytes } from 'node:crypto';
import { isLaterEpoch } from '../market/log.ts';
import { epochKey } from './keys.ts';
import { openEpoch } from './log-scripts.ts';
import { run } from './redis-client.ts';
import type { RedisClient } from './redis-client.ts';
import { evaluate, executeScripts } from './redis-scripts.ts';

/** Twice as long as a writer may take to find that the name of its log is gone: then there is no writer. */
const WRITER_MS = 10_000;

/**
 * The name of the log's present incarnation, as this process knows it. It is kept by one server of a Cluster, whereas the log
 * is spread over all of them: so it is the writer that ends an epoch, whichever part of the log it finds lost, and once it has,
 * nothing of an earlier one counts any more, wherever it has been kept or is still on its way.
 */
export class RedisEpoch {
  readonly #redis: RedisClient;
  readonly #clock: () => number;
  readonly #onBegin: (epoch: string) => void;
  #newest = '';
  #missingSince: number | null = null;

  /** `onBegin` is called when another epoch becomes the newest that is known. */
  constructor(redis: RedisClient, clock: () => number, onBegin: (epoch: string) => void) {
    this.#redis = redis;
    this.#clock = clock;
    this.#onBegin = onBegin;
  }

  /** Whether what was written in an epoch counts: it does unless a later one is known. */
  follow(epoch: string): boolean {
    if (epoch === this.#newest) return true;
    if (isLaterEpoch(this.#newest, epoch)) return false;
    this.#newest = epoch;
    this.#onBegin(epoch);
    return true;
  }

  /** Reads the name, if there is one, so that it is known here. */
  async learn(): Promise<void> {
    const epoch = await run<string | null>(this.#redis, 'get', epochKey);
    if (epoch !== null) this.follow(epoch);
  }

  /** For a reader. Where a log was lost, it is not for the reader to name the next one while a writer may still be there. */
  async read(): Promise<string> {
    const epoch = await run<string | null>(this.#redis, 'get', epochKey);
    if (epoch !== null && this.follow(epoch)) {
      this.#missingSince = null;
      return epoch;
    }
    const now = this.#clock();
    this.#missingSince ??= now;
    if (this.#newest !== '' && now - this.#missingSince < WRITER_MS) {
      throw new Error('The log was lost, and its writer has not begun a new one yet.');
    }
    return this.open(false);
  }

  /** `isLost`: some of the log was lost in the newest epoch that is known here, so that it ends. */
  async open(isLost: boolean): Promise<string> {
    // A name that does not tell its time cannot be compared.
    const known = isLaterEpoch(this.#newest, FIRST_EPOCH) ? this.#newest : '';
    const args = [known, isLost ? 'lost' : '', randomBytes(6).toString('hex')];
    const [epoch] = await executeScripts<string>(this.#redis, [evaluate(openEpoch, [epochKey], args)], { toLog: true });
    if (epoch === undefined) throw new Error('Redis did not keep the epoch of the log');
    this.follow(epoch);
    this.#missingSince = null;
    return epoch;
  }
}

const FIRST_EPOCH = '0000000000000-';
