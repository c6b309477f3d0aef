import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../src/feeds/simulator/random.ts';
import type { Checker } from './checker.ts';
import { type Manner, ResumingClient } from './client.ts';
import { type LogName, SUBSCRIPTIONS } from './subscriptions.ts';
import type { World } from './world.ts';

/** Makes a result of a slow reader about fifteen times as long, so that the network's buffers are full in seconds. */
const PADDING = `${'x'.repeat(3_000)}: symbol`;
/** A slow reader reads for so long, and then not for so long, in ms. */
const READING_MS = [200, 2_000] as const;
const STALLED_MS = [1_000, 6_000] as const;

type Kind = {
  readonly about: string;
  readonly watches: LogName;
  /** One for each connection, in turn. */
  readonly manners: readonly Manner[];
  /** Stops reading now and then. */
  readonly isSlow?: true;
};

const KINDS: readonly Kind[] = [
  { about: 'prints by WebSocket, after', watches: 'trades', manners: ['WebSocket, after'] },
  { about: 'prints by SSE, Last-Event-ID', watches: 'trades', manners: ['SSE, Last-Event-ID'] },
  { about: 'prints by WebSocket, resumeFrom', watches: 'trades', manners: ['WebSocket, resumeFrom'] },
  { about: 'bars by WebSocket', watches: 'bars', manners: ['WebSocket, resumeFrom', 'WebSocket, after'] },
  { about: 'bars by SSE', watches: 'bars', manners: ['SSE, Last-Event-ID', 'SSE, resumeFrom'] },
  { about: 'prints, slow, by WebSocket', watches: 'trades', manners: ['WebSocket, after'], isSlow: true },
  { about: 'prints by either', watches: 'trades', manners: ['SSE, resumeFrom', 'WebSocket, after'] },
  { about: 'prints, slow, by SSE', watches: 'trades', manners: ['SSE, Last-Event-ID'], isSlow: true },
];

export type Member = {
  readonly client: ResumingClient;
  readonly watches: LogName;
  readonly isSlow: boolean;
};

export type AudienceOptions = {
  readonly size: number;
  readonly world: World;
  readonly checkers: Readonly<Record<LogName, Checker>>;
  readonly random: Random;
  readonly log: (line: string) => void;
};

/** The subscribers of a run: as many as are asked for, of each kind in turn. */
export class Audience implements AsyncDisposable {
  readonly members: readonly Member[];
  readonly #random: Random;
  #hurry: AbortController | null = null;

  constructor(options: AudienceOptions) {
    this.#random = options.random;
    this.members = Array.from({ length: options.size }, (_, index) => createMember(options, index));
    for (const { client } of this.members) client.start();
  }

  get clients(): readonly ResumingClient[] {
    return this.members.map(({ client }) => client);
  }

  /** Those that read all the time: whatever comes to them late is late. */
  get brisk(): readonly ResumingClient[] {
    return this.members.flatMap(({ client, isSlow }) => (isSlow ? [] : [client]));
  }

  get slow(): readonly ResumingClient[] {
    return this.members.flatMap(({ client, isSlow }) => (isSlow ? [client] : []));
  }

  /** The longest that one of those that read prints all the time went without one since the last call, in ms. */
  takeLongestSilence(): number {
    const silences = this.members.map(({ client, watches, isSlow }) => {
      const silence = client.takeLongestSilence();
      return isSlow || watches === 'bars' ? 0 : silence;
    });
    return Math.max(...silences);
  }

  /** How often they had to resume, by cause. */
  countResumed(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { client } of this.members) {
      for (const [cause, count] of client.resumed) counts[cause] = (counts[cause] ?? 0) + count;
    }
    return counts;
  }

  /** From now on the slow readers stop now and then. */
  dawdle(): void {
    this.hurry();
    const { signal } = (this.#hurry = new AbortController());
    for (const { client, isSlow } of this.members) if (isSlow) void this.#dawdle(client, signal);
  }

  /** They read all the time again. */
  hurry(): void {
    this.#hurry?.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.hurry();
    await Promise.all(this.clients.map((client) => client.close()));
  }

  /** Never rejects. */
  async #dawdle(client: ResumingClient, signal: AbortSignal): Promise<void> {
    const wait = ([least, most]: readonly [number, number]): Promise<void> =>
      sleep(least + this.#random.next() * (most - least), undefined, { signal });
    try {
      for (;;) {
        await wait(READING_MS);
        client.stall();
        await wait(STALLED_MS);
        client.goOn();
      }
    } catch {
      client.goOn();
    }
  }
}

/**
 * Half of the symbols to each, overlapping by a half with the next one's, so that each is read on several processes. To a slow
 * reader the busiest ones, so that it gets more than the buffers of the network hold while it does not read.
 */
function createMember({ world, checkers, log }: AudienceOptions, index: number): Member {
  const { about, watches, manners, isSlow = false } = KINDS[index % KINDS.length]!;
  const { symbols } = world;
  const half = Math.ceil(symbols.length / 2);
  const from = isSlow ? 0 : Math.floor((index * half) / 2) % symbols.length;
  const count = isSlow ? Math.ceil(symbols.length / 12) : half;
  const client = new ResumingClient({
    name: `client ${index + 1} (${about})`,
    subscription: SUBSCRIPTIONS[watches],
    manners,
    symbols: [...symbols, ...symbols].slice(from, from + count),
    ...(isSlow && { padding: PADDING }),
    listUrls: () => world.listUrls(),
    first: index,
    checker: checkers[watches],
    log,
  });
  return { client, watches, isSlow };
}
