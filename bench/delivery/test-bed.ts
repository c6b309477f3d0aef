import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startRedis, type TestRedis } from '../../test/redis.ts';
import {
  LOAD_CORE,
  pinProcess,
  readCoreTimes,
  readCpuSeconds,
  readFileLimit,
  readResidentBytes,
  SERVER_CORE,
} from '../load/cores.ts';
import type { GeneratorCommands, Group, Opened, Received } from '../load/generator.ts';
import type { ProtocolName } from '../load/protocol.ts';
import type { Published, PublisherCommands } from '../load/publisher.ts';
import { type Servant, startServant } from '../load/servant.ts';
import { audienceOf, pickSymbols, type Watching } from '../load/symbols.ts';
import { type Contestant, JWT_SECRET, type RunningServer, type ServerOptions, startContestant } from './contestants.ts';

const LOAD = path.join(import.meta.dirname, '../load');
/** Of a load to warm up with: every contestant carries as many a second. */
const SETTLE_PER_SECOND = 12_000;
const SETTLE_DELIVERIES = 20_000;
/** So many latencies are looked at in a run, of however many. */
const SAMPLES = 20_000;
/** Long, for the server may wait for its core where the machine has other work. */
const QUIET_MS = 1_000;
/** Then a few more have to arrive, and nothing else. */
const PROBE_DELIVERIES = 2_000;
const MAX_ROUNDS = 10;
/** Files that a process has open beside its connections. */
const OTHER_FILES = 200;

export type Load = { readonly eventsPerSecond: number; readonly seconds: number };

/** What one run has shown; of the measured group alone. */
export type Measurement = {
  /** By the publisher's own clock: where it could not keep the pace, this is what it did. */
  readonly eventsPerSecond: number;
  readonly offeredPerSecond: number;
  /** How many should have come; how many had when the last was published; how many in the end. */
  readonly offered: number;
  readonly deliveredInTime: number;
  readonly delivered: number;
  /** Each client has received exactly what it was to receive. */
  readonly isExact: boolean;
  readonly p50: number;
  readonly p99: number;
  /** Of the server's process, for each delivery. */
  readonly cpuMicros: number;
  /** Shares of a core: the server, the clients, and the load's core as a whole (clients, publisher, Redis). */
  readonly serverLoad: number;
  readonly generatorLoad: number;
  readonly loadCoreBusy: number;
  /** What was taken from the server's core by processes that are none of the bench, or by the host: the machine's noise. */
  readonly disturbance: number;
  readonly troubles: number;
  readonly words: readonly string[];
};

/** Redis and the publisher, for all runs of a call. */
export class TestBed {
  readonly redis: TestRedis;
  readonly publisher: Servant<PublisherCommands>;

  private constructor(redis: TestRedis, publisher: Servant<PublisherCommands>) {
    this.redis = redis;
    this.publisher = publisher;
  }

  static async start(): Promise<TestBed> {
    const redis = await startRedis();
    pinProcess(redis.pid, LOAD_CORE);
    return new TestBed(redis, startServant<PublisherCommands>(path.join(LOAD, 'publisher.ts'), LOAD_CORE, [redis.url]));
  }

  /** How many connections a server may be given here, whatever it could carry. */
  get maxConnections(): number {
    return readFileLimit() - OTHER_FILES;
  }

  /** With a server and clients of its own, which end with it. `symbols`: those that are known when it starts. */
  async run<T>(
    contestant: Contestant,
    symbols: number,
    use: (arena: Arena) => Promise<T>,
    options: Partial<ServerOptions> = {},
  ): Promise<T> {
    await this.publisher.ask('prepare', { symbols });
    const server = await startContestant(contestant, { redisUrl: this.redis.url, core: SERVER_CORE, ...options });
    const generator = startServant<GeneratorCommands>(path.join(LOAD, 'generator.ts'), LOAD_CORE);
    try {
      return await use(new Arena(this, server, generator));
    } finally {
      await generator.stop();
      await server.stop();
    }
  }

  async stop(): Promise<void> {
    await this.publisher.stop();
    await this.redis.stop();
  }
}

/** One server and its clients. */
export class Arena {
  readonly server: RunningServer;
  readonly generator: Servant<GeneratorCommands>;
  readonly #bed: TestBed;
  #clients = 0;
  #watching: Watching = { symbols: 1, watchlist: 1 };
  /** How many of the measured clients watch each symbol. */
  #audiences: number[] = [];

  constructor(bed: TestBed, server: RunningServer, generator: Servant<GeneratorCommands>) {
    this.#bed = bed;
    this.server = server;
    this.generator = generator;
  }

  /** Throws where a connection is refused: nothing that follows would be what its name says. */
  async open(
    count: number,
    watching: Watching,
    more: { group?: Group; perSecond?: number; protocol?: ProtocolName } = {},
  ): Promise<Opened> {
    const { group = 'measured' } = more;
    const { port, protocol } = this.server;
    const request = { protocol, ...more, group, count, port, watching, secret: JWT_SECRET };
    const opened = await this.generator.ask('open', request);
    if (opened.opened < count) throw new Error(`${opened.opened} of ${count} connected: ${opened.failures.join('; ')}`);
    if (group === 'measured') {
      this.#watching = watching;
      this.#audiences = Array.from({ length: watching.symbols }, () => 0);
      this.#clients += count;
      // What others publish cannot be foretold.
      for (let client = 0; client < this.#clients && watching.names === undefined; client += 1) {
        for (const symbol of pickSymbols(client, watching)) this.#audiences[Number(symbol.slice(3))]! += 1;
      }
    }
    return opened;
  }

  /** Until every client receives, the server's code is warm, and nothing is under way any more. */
  async settle(deliveries = SETTLE_DELIVERIES): Promise<void> {
    const { symbols, watchlist, names } = this.#watching;
    const audience = audienceOf(this.#clients, this.#watching);
    const eventsPerSecond = SETTLE_PER_SECOND / audience;
    const warming = Math.max(Math.ceil(deliveries / audience), watchlist === 1 ? symbols : 1);
    for (let round = 1, isReached = false; round <= MAX_ROUNDS; round += 1) {
      if (!isReached) {
        await this.generator.ask('reset', { sampleEvery: 0 });
        await this.#publish({ events: warming, eventsPerSecond });
        // Where it is known how many are to come, nothing is under way after them.
        const awaited = names === undefined ? this.#countOffered(warming) : undefined;
        isReached = (await this.waitForQuiet(30_000, awaited)).least > 0;
      }
      await this.generator.ask('reset', { sampleEvery: 0 });
      const events = Math.min(symbols, Math.ceil(PROBE_DELIVERIES / audience));
      await this.#publish({ events, eventsPerSecond });
      const offered = this.#countOffered(events);
      const { messages } = await this.waitForQuiet(5_000, offered);
      if (isReached && messages === offered) return;
      await this.waitForQuiet(30_000);
    }
    throw new Error('the clients do not receive what is published, and nothing else');
  }

  /** Publishes for a time and looks at what came of it. `drainMs`: how long late deliveries are waited for. */
  async measure({ eventsPerSecond, seconds }: Load, drainMs = 1_500): Promise<Measurement> {
    const { symbols } = this.#watching;
    const wished = eventsPerSecond * seconds;
    // Whole rounds over the symbols, where there is time for one, so that each client is to receive as many as any other.
    const events = wished < symbols ? Math.max(1, Math.round(wished)) : Math.round(wished / symbols) * symbols;
    const offered = this.#countOffered(events);
    await this.generator.ask('reset', { sampleEvery: Math.max(1, Math.floor(offered / SAMPLES)) });
    const before = this.#readClocks();
    const published = await this.#publish({ events, eventsPerSecond });
    const after = this.#readClocks();
    const inTime = await this.generator.ask('read', undefined);
    const last =
      inTime.messages < offered ? await this.waitForQuiet(drainMs, offered, Math.max(QUIET_MS, drainMs / 4)) : inTime;
    const elapsed = after.at - before.at;
    const cpu = after.server - before.server;
    const onServerCore =
      after.serverCore.busy + after.serverCore.stolen - before.serverCore.busy - before.serverCore.stolen;
    return {
      eventsPerSecond: (published.events / published.elapsedMs) * 1_000,
      offeredPerSecond: (offered / published.elapsedMs) * 1_000,
      offered,
      deliveredInTime: inTime.messages,
      delivered: last.messages,
      isExact: last.messages === offered && (events % symbols !== 0 || last.least === last.most),
      p50: last.ages.measured.p50,
      p99: last.ages.measured.p99,
      cpuMicros: (cpu / inTime.messages) * 1e6,
      serverLoad: cpu / elapsed,
      generatorLoad: (after.generator - before.generator) / elapsed,
      loadCoreBusy: (after.loadCore.busy - before.loadCore.busy) / elapsed,
      // The core's own figures are counted in ticks: of little they may miss some.
      disturbance: Math.max(0, onServerCore - cpu) / elapsed,
      troubles: last.troubles,
      words: last.words,
    };
  }

  /** Until nothing has come for a while, or `awaited` has, or the time is up. */
  async waitForQuiet(limitMs: number, awaited = Number.POSITIVE_INFINITY, quietMs = QUIET_MS): Promise<Received> {
    const until = performance.now() + limitMs;
    let received = await this.generator.ask('read', undefined);
    let changedAt = performance.now();
    while (received.messages < awaited && performance.now() < until && performance.now() - changedAt < quietMs) {
      await sleep(25);
      const next = await this.generator.ask('read', undefined);
      if (next.messages !== received.messages) changedAt = performance.now();
      received = next;
    }
    return received;
  }

  /** Until the server has nothing to do any more. Resolves with the CPU time that it has used since its start. */
  async waitForIdle(): Promise<number> {
    let cpu = readCpuSeconds(this.server.pid);
    for (let tries = 0; tries < 60; tries += 1) {
      await sleep(500);
      const next = readCpuSeconds(this.server.pid);
      if (next - cpu <= 0.025) return next;
      cpu = next;
    }
    throw new Error('the server does not come to rest');
  }

  readResidentBytes(): number {
    return readResidentBytes(this.server.pid);
  }

  #publish(request: { events: number; eventsPerSecond: number }): Promise<Published> {
    return this.#bed.publisher.ask('publish', { symbols: this.#watching.symbols, ...request });
  }

  #countOffered(events: number): number {
    const { symbols } = this.#watching;
    let offered = 0;
    for (const [symbol, audience] of this.#audiences.entries()) {
      offered += audience * (Math.floor(events / symbols) + (symbol < events % symbols ? 1 : 0));
    }
    return offered;
  }

  #readClocks() {
    return {
      at: performance.now() / 1_000,
      server: readCpuSeconds(this.server.pid),
      generator: readCpuSeconds(this.generator.pid),
      loadCore: readCoreTimes(LOAD_CORE),
      serverCore: readCoreTimes(SERVER_CORE),
    };
  }
}
