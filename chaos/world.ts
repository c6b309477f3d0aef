import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { LISTINGS } from '../src/feeds/simulator/listings.ts';
import { SHAPE } from '../src/feeds/simulator/tape-shape.ts';
import { startRedis, type TestRedis } from '../test/redis.ts';
import { startRedisCluster, type TestRedisCluster } from '../test/redis-cluster.ts';
import { fetchJson, startMain, type TapeqlProcess } from '../test/tapeql.ts';

const SIMULATOR = path.resolve(import.meta.dirname, '..', 'src', 'feeds', 'simulator', 'cli.ts');
const STEPPING_CLOCK = pathToFileURL(path.resolve(import.meta.dirname, 'stepping-clock.ts')).href;
const POLL_MS = 100;
const MEBIBYTE = 1024 * 1024;

export type WorldOptions = {
  readonly seed: number;
  /** Prints a second, on average, over all symbols. */
  readonly rate: number;
  readonly symbolCount: number;
  readonly ingestCount: number;
  readonly apiCount: number;
  /** Three masters with a replica each in the place of one server. */
  readonly isCluster: boolean;
};

/** One TapeQL process by its part in the world, whatever number of lives it has. */
export class Member {
  readonly name: string;
  readonly #env: Record<string, string>;
  #process: TapeqlProcess | null = null;
  readonly #complaints: string[] = [];

  constructor(name: string, env: Record<string, string>) {
    this.name = name;
    this.#env = env;
  }

  async start(): Promise<void> {
    this.#process = await startMain(this.#env);
  }

  /** `null` while it does not run. */
  get url(): string | null {
    return this.#process?.url ?? null;
  }

  /** As kill -9. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** As an orchestrator ends it. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** It stands still without knowing. */
  pause(): void {
    this.#process?.child.kill('SIGSTOP');
  }

  goOn(): void {
    this.#process?.child.kill('SIGCONT');
  }

  /** Sets its clock to the next of several wrong times, and then right again: see stepping-clock.ts. */
  stepClock(): void {
    this.#process?.child.kill('SIGUSR2');
  }

  /** Every part's figures, `null` where it does not answer. */
  async readStats(): Promise<Record<string, Record<string, unknown>> | null> {
    if (this.#process === null) return null;
    return fetchJson(`${this.#process.url}/stats`).catch(() => null);
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const ended = this.#process;
    this.#process = null;
    if (ended === null) return;
    ended.child.kill(signal);
    await ended.exited;
    this.#complaints.push(...findComplaints(ended));
  }

  /** Warnings and errors of all its lives. */
  listComplaints(): string[] {
    return this.#process === null ? this.#complaints : [...this.#complaints, ...findComplaints(this.#process)];
  }
}

function findComplaints({ lines }: TapeqlProcess): string[] {
  return lines.filter((line) => !line.includes('"level":"info"'));
}

/** The exchange in a process of its own. */
export type Exchange = AsyncDisposable & {
  readonly wsUrl: string;
  readonly restUrl: string;
  setFault(name: string, value?: string): Promise<void>;
  clearFault(name: string): Promise<void>;
};

/** Everything that there is in a run: each part a process of its own, all on loopback, all ended with it. */
export class World implements AsyncDisposable {
  readonly symbols: readonly string[];
  readonly exchange: Exchange;
  /** The one server; `null` where there is a Cluster. */
  readonly redis: TestRedis | null;
  readonly cluster: TestRedisCluster | null;
  readonly ingests: readonly Member[];
  readonly apis: readonly Member[];
  readonly #stack: AsyncDisposableStack;

  private constructor(
    parts: Pick<World, 'symbols' | 'exchange' | 'redis' | 'cluster' | 'ingests' | 'apis'>,
    stack: AsyncDisposableStack,
  ) {
    this.symbols = parts.symbols;
    this.exchange = parts.exchange;
    this.redis = parts.redis;
    this.cluster = parts.cluster;
    this.ingests = parts.ingests;
    this.apis = parts.apis;
    this.#stack = stack;
  }

  static async start(options: WorldOptions): Promise<World> {
    // Each process of each world is ended with this one: many listeners, and no leak.
    process.setMaxListeners(0);
    await using stack = new AsyncDisposableStack();
    const cluster = options.isCluster ? stack.use(await startRedisCluster()) : null;
    const redis = options.isCluster ? null : stack.use(await startRedis());
    const exchange = stack.use(await startExchange(options));
    const env = {
      REDIS_URL: (cluster ?? redis)!.url,
      FEED: 'simulated',
      POLYGON_API_KEY: 'chaos',
      POLYGON_WS_URL: exchange.wsUrl,
      POLYGON_REST_URL: exchange.restUrl,
      PORT: '0',
      NODE_OPTIONS: `--import=${STEPPING_CLOCK}`,
      MAX_CONNECTIONS_PER_USER: '1000',
      RATE_LIMITS: 'market=1000000,http=1000000',
    };
    const createMembers = (role: string, count: number): Member[] =>
      Array.from({ length: count }, (_, index) => {
        const member = new Member(`${role} ${index + 1}`, { ...env, ROLE: role });
        stack.defer(() => member.kill());
        return member;
      });
    const ingests = createMembers('ingest', options.ingestCount);
    const apis = createMembers('api', options.apiCount);
    await Promise.all([...ingests, ...apis].map((member) => member.start()));
    const symbols = LISTINGS.slice(0, options.symbolCount).map(({ symbol }) => symbol);
    return new World({ symbols, exchange, redis, cluster, ingests, apis }, stack.move());
  }

  /** Over any server of Redis, as anybody may. */
  async publish(channel: string, message: string): Promise<void> {
    await this.#withRedis(channel, (redis) => redis.publish(channel, message));
  }

  async readRedis(key: string): Promise<string | null> {
    return this.#withRedis(key, (redis) => redis.get(key));
  }

  /** Removes all data, from the nodes of a Cluster one after the other. */
  async flushRedis(): Promise<void> {
    if (this.cluster !== null) await this.cluster.flush();
    else await this.#withRedis('', (redis) => redis.flushall());
  }

  /** Removes one key, wherever it is. Whether it was there. */
  async removeKey(key: string): Promise<boolean> {
    return this.#withRedis(key, async (redis) => (await redis.unlink(key)) === 1);
  }

  /** Leaves the one server no room, whatever it holds; returns what gives it room again. */
  async fillRedis(): Promise<() => Promise<unknown>> {
    await this.#withRedis('', async (redis) => {
      const used = Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
      await redis.config('SET', 'maxmemory', Math.max(1, used - MEBIBYTE));
    });
    return () => this.#withRedis('', (redis) => redis.config('SET', 'maxmemory', 0));
  }

  async #withRedis<T>(key: string, use: (redis: Redis) => Promise<T>): Promise<T> {
    if (this.cluster !== null) return use((await this.cluster.masterOf(key)).redis);
    const redis = new Redis(this.redis!.url);
    try {
      return await use(redis);
    } finally {
      redis.disconnect();
    }
  }

  /** The api processes that run. */
  listUrls(): string[] {
    return this.apis.flatMap(({ url }) => (url === null ? [] : [url]));
  }

  /** The ingest process that holds the connection to the exchange; waits until there is one. */
  async findWriter(signal: AbortSignal): Promise<Member> {
    for (;;) {
      for (const member of this.ingests) {
        const stats = await member.readStats();
        if (stats?.['feed']?.['connected.stocks'] === 1) return member;
      }
      signal.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

async function startExchange({ seed, rate, symbolCount }: WorldOptions): Promise<Exchange> {
  const args = { port: 0, symbols: symbolCount, seed, rate: Math.ceil(rate / SHAPE.tradeShare) };
  const flags = Object.entries(args).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn(process.execPath, [SIMULATOR, ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const urls = await readUrls(child);
  const control = async (method: string, query: string, body?: object): Promise<void> => {
    const response = await fetch(`${urls.restUrl}/_control/fault${query}`, {
      method,
      // Over a connection of its own: one that was kept may be closed by the exchange just then.
      headers: { connection: 'close' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`the exchange refuses a fault: ${await response.text()}`);
  };
  return {
    ...urls,
    setFault: (name, value) => control('POST', '', { name, ...(value !== undefined && { value }) }),
    clearFault: (name) => control('DELETE', `?name=${name}`),
    async [Symbol.asyncDispose]() {
      process.off('exit', kill);
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      kill();
      await ended;
    },
  };
}

async function readUrls(child: ChildProcess): Promise<{ wsUrl: string; restUrl: string }> {
  const urls = new Map<string, string>();
  for await (const line of createInterface({ input: child.stdout! })) {
    const [name = '', url = ''] = line.split(/\s+/);
    urls.set(name, url);
    if (urls.size === 2) break;
  }
  const [wsUrl, restUrl] = [urls.get('WebSocket'), urls.get('REST')];
  if (wsUrl === undefined || restUrl === undefined) throw new Error('the simulated exchange did not start');
  return { wsUrl, restUrl };
}
