import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import computeSlot from 'cluster-key-slot';
import { Redis } from 'ioredis';
import { demandProgram, REDIS_SERVER } from './programs.ts';
import { findFreePort, startServer } from './redis.ts';

/** A private Redis Cluster for one test file: three masters, each with a replica, on loopback, nothing on disk. */
export interface TestRedisCluster extends AsyncDisposable {
  /** All its nodes, as `REDIS_URL` takes them. */
  readonly url: string;
  readonly nodes: readonly ClusterNode[];
  /** The masters that serve slots now, by what they say themselves. */
  masters(): Promise<ClusterNode[]>;
  /** The master that serves a key or channel now. */
  masterOf(key: string): Promise<ClusterNode>;
  /** Moves the slot of a key to another master, as `redis-cli --cluster reshard` does. Returns where it was and is. */
  migrateSlot(key: string, to?: ClusterNode): Promise<{ from: ClusterNode; to: ClusterNode }>;
  /**
   * As kill -9 of a master: resolves, with the replica that has taken over, once the Cluster is whole again. `whileStale`: until
   * it resolves the replica stands still (SIGSTOP), cut off, and lacks what is written then.
   */
  killMaster(master: ClusterNode, options?: { readonly whileStale?: () => Promise<unknown> }): Promise<ClusterNode>;
  /** As kill -9 of a master together with its replica, and the start of both, empty: resolves once the Cluster is whole again. */
  loseMaster(master: ClusterNode): Promise<void>;
  /** Has the master's replica take over in order. Resolves with it, once all nodes know. */
  failOver(master: ClusterNode): Promise<ClusterNode>;
  /** Starts a killed node again: it comes back as a replica, in step with its master. */
  revive(node: ClusterNode): Promise<void>;
  /** Removes all data. */
  flush(): Promise<void>;
  stop(): Promise<void>;
}

export interface ClusterNode {
  readonly port: number;
  readonly address: string;
  /** For looking at this node alone. */
  readonly redis: Redis;
  readonly isRunning: boolean;
  /** Stops answering, without closing a connection. */
  pause(): void;
  resume(): void;
}

/** After so long without an answer a node counts as failed among the others. */
const NODE_TIMEOUT_MS = 1_000;
const SLOTS_PER_MASTER = [
  [0, 5_460],
  [5_461, 10_922],
  [10_923, 16_383],
] as const;

export async function startRedisCluster(): Promise<TestRedisCluster> {
  const binary = demandProgram(REDIS_SERVER);
  const folder = await mkdtemp(join(tmpdir(), 'tapeql-cluster-'));
  const nodes: Node[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop()));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    nodes.push(
      ...(await Promise.all(Array.from({ length: 6 }, (_, index) => Node.start(binary, join(folder, `${index}`))))),
    );
    await form(nodes);
  } catch (error) {
    await stop();
    throw error;
  }

  const running = (): Node[] => nodes.filter((node) => node.isRunning);
  const masters = async (): Promise<Node[]> => {
    const views = await Promise.all(running().map(async (node) => ({ node, self: await node.readSelf() })));
    return views.filter(({ self }) => self.isMaster && self.slots.length > 0).map(({ node }) => node);
  };
  const masterOf = async (key: string): Promise<Node> => {
    const slot = computeSlot(key);
    let owner: Node | undefined;
    // What a node says of itself; after a change two may claim a slot, or none, for a moment.
    await until(async () => {
      const views = await Promise.all(running().map(async (node) => ({ node, self: await node.readSelf() })));
      const claims = views.filter(({ self }) => self.isMaster && self.slots.some(([a, b]) => a <= slot && slot <= b));
      owner = claims[0]?.node;
      return claims.length === 1;
    });
    return owner!;
  };
  const replicaOf = async (master: Node): Promise<Node> => {
    const masterId = await master.readId();
    let replica: Node | undefined;
    await until(async () => {
      const views = await Promise.all(running().map(async (node) => ({ node, self: await node.readSelf() })));
      replica = views.find(({ self }) => self.masterId === masterId)?.node;
      return replica !== undefined && (await replica.isInStep());
    });
    return replica!;
  };
  const untilMaster = async (node: Node, instead: Node): Promise<void> => {
    const id = await node.readId();
    await until(async () => {
      const views = await Promise.all(running().map((each) => each.readNodes()));
      return (
        views.every((view) => view.some((line) => line.id === id && line.isMaster && line.slots.length > 0)) &&
        views.every((view) => view.every((line) => line.port !== instead.port || line.slots.length === 0)) &&
        (await areOk(running()))
      );
    });
  };

  return {
    url: nodes.map((node) => `redis://${node.address}`).join(','),
    nodes,
    masters,
    masterOf,
    async migrateSlot(key, target) {
      const slot = computeSlot(key);
      const from = await masterOf(key);
      const others = (await masters()).filter((node) => node !== from);
      const to = (target as Node | undefined) ?? others[0]!;
      const [fromId, toId] = await Promise.all([from.readId(), to.readId()]);
      await to.redis.cluster('SETSLOT', slot, 'IMPORTING', fromId);
      await from.redis.cluster('SETSLOT', slot, 'MIGRATING', toId);
      for (;;) {
        const keys = await from.redis.cluster('GETKEYSINSLOT', slot, 100);
        if (keys.length === 0) break;
        await from.redis.migrate('127.0.0.1', to.port, '', 0, 5_000, 'KEYS', ...keys);
      }
      await to.redis.cluster('SETSLOT', slot, 'NODE', toId);
      await from.redis.cluster('SETSLOT', slot, 'NODE', toId);
      for (const node of others) if (node !== to) await node.redis.cluster('SETSLOT', slot, 'NODE', toId);
      await until(async () => {
        const views = await Promise.all(running().map((node) => node.readNodes()));
        return views.every((view) =>
          view.some(({ id, slots }) => id === toId && slots.some(([first, last]) => first <= slot && slot <= last)),
        );
      });
      return { from, to };
    },
    async killMaster(master, { whileStale } = {}) {
      const replica = await replicaOf(master as Node);
      if (whileStale !== undefined) {
        replica.pause();
        // Else it would find all of it in its socket's buffer when it goes on.
        await (master as Node).redis.client('KILL', 'TYPE', 'replica');
        await whileStale();
      }
      await (master as Node).kill();
      if (whileStale !== undefined) replica.resume();
      await untilMaster(replica, master as Node);
      return replica;
    },
    async loseMaster(master) {
      const replica = await replicaOf(master as Node);
      await Promise.all([(master as Node).kill(), replica.kill()]);
      await (master as Node).restart();
      await replica.restart();
      await until(async () => (await replica.isInStep()) && areOk(running()));
    },
    async failOver(master) {
      const replica = await replicaOf(master as Node);
      await until(async () => {
        // It is given up without a word where the two do not agree in time.
        if ((await replica.readSelf()).isMaster) return true;
        await replica.redis.cluster('FAILOVER').catch(() => {});
        return until(async () => (await replica.readSelf()).isMaster, 1_000).then(
          () => true,
          () => false,
        );
      });
      await untilMaster(replica, master as Node);
      return replica;
    },
    async revive(node) {
      await (node as Node).restart();
      await until(() => (node as Node).isInStep());
      await until(() => areOk(running()));
    },
    async flush() {
      for (const master of await masters()) await master.redis.flushall();
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

type NodeLine = {
  readonly id: string;
  readonly port: number;
  readonly isSelf: boolean;
  readonly isMaster: boolean;
  readonly masterId: string | null;
  /** First and last, without those under way. */
  readonly slots: readonly (readonly [number, number])[];
  readonly isKnown: boolean;
};

class Node implements ClusterNode {
  readonly port: number;
  readonly busPort: number;
  readonly address: string;
  readonly redis: Redis;
  readonly #binary: string;
  readonly #folder: string;
  #server: ChildProcess;

  private constructor(binary: string, folder: string, ports: readonly [number, number], server: ChildProcess) {
    this.#binary = binary;
    this.#folder = folder;
    [this.port, this.busPort] = ports;
    this.#server = server;
    this.address = `127.0.0.1:${this.port}`;
    this.redis = new Redis(this.port, '127.0.0.1', { retryStrategy: () => 20, maxRetriesPerRequest: null });
    this.redis.on('error', () => {});
  }

  /** Between finding free ports and taking them, another may take one: then the next ones are tried. */
  static async start(binary: string, folder: string): Promise<Node> {
    await mkdir(folder);
    for (let attempt = 1; ; attempt++) {
      const ports = [await findFreePort(), await findFreePort()] as const;
      try {
        return new Node(binary, folder, ports, await startNode(binary, folder, ports));
      } catch (error) {
        if (attempt === 5) throw error;
      }
    }
  }

  get isRunning(): boolean {
    return this.#server.exitCode === null && this.#server.signalCode === null;
  }

  pause(): void {
    this.#server.kill('SIGSTOP');
  }

  resume(): void {
    this.#server.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    if (!this.isRunning) return;
    const ended = once(this.#server, 'exit');
    this.#server.kill('SIGKILL');
    await ended;
  }

  async restart(): Promise<void> {
    this.#server = await startNode(this.#binary, this.#folder, [this.port, this.busPort]);
  }

  async stop(): Promise<void> {
    this.redis.disconnect();
    await this.kill();
  }

  async readId(): Promise<string> {
    return (await this.redis.cluster('MYID')) as string;
  }

  async readNodes(): Promise<NodeLine[]> {
    const text = (await this.redis.cluster('NODES')) as string;
    return text
      .trim()
      .split('\n')
      .map((line) => {
        const [id = '', endpoint = '', flagText = '', masterId = '', , , , , ...slots] = line.split(' ');
        const flags = flagText.split(',');
        return {
          id,
          port: Number(/:(\d+)/.exec(endpoint)?.[1]),
          isSelf: flags.includes('myself'),
          isMaster: flags.includes('master'),
          masterId: masterId === '-' ? null : masterId,
          slots: slots.flatMap((range): [number, number][] => {
            const match = /^(\d+)(?:-(\d+))?$/.exec(range);
            return match === null ? [] : [[Number(match[1]), Number(match[2] ?? match[1])]];
          }),
          isKnown: !flags.includes('handshake') && !flags.includes('noaddr'),
        };
      });
  }

  async readSelf(): Promise<NodeLine> {
    return (await this.readNodes()).find((line) => line.isSelf)!;
  }

  async isInStep(): Promise<boolean> {
    return /master_link_status:up/.test(await this.redis.info('replication'));
  }
}

async function startNode(
  binary: string,
  folder: string,
  [port, busPort]: readonly [number, number],
): Promise<ChildProcess> {
  return startServer(binary, folder, port, [
    ...['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf', '--cluster-port', busPort],
    ...['--cluster-node-timeout', NODE_TIMEOUT_MS, '--cluster-allow-replica-migration', 'no'],
    // However long a replica was out of touch with its master, it may take over.
    ...['--cluster-replica-validity-factor', 0, '--repl-diskless-sync-delay', 0],
  ]);
}

/** Much quicker than `redis-cli --cluster create`, which waits in whole seconds. */
async function form(nodes: readonly Node[]): Promise<void> {
  for (const [index, node] of nodes.entries()) {
    await node.redis.cluster('SET-CONFIG-EPOCH', index + 1);
    const range = SLOTS_PER_MASTER[index];
    if (range !== undefined) await node.redis.call('CLUSTER', 'ADDSLOTSRANGE', ...range);
  }
  const [first, ...others] = nodes;
  for (const node of others) await first!.redis.call('CLUSTER', 'MEET', '127.0.0.1', node.port, node.busPort);
  await until(async () => {
    const views = await Promise.all(nodes.map((node) => node.readNodes()));
    return views.every((view) => view.length === nodes.length && view.every((line) => line.isKnown));
  });
  const ids = await Promise.all(nodes.map((node) => node.readId()));
  const replicas = nodes.slice(SLOTS_PER_MASTER.length);
  await Promise.all(replicas.map((node, index) => node.redis.cluster('REPLICATE', ids[index]!)));
  await until(async () => {
    const views = await Promise.all(nodes.map((node) => node.readNodes()));
    const inStep = await Promise.all(replicas.map((node) => node.isInStep()));
    return (
      inStep.every(Boolean) &&
      views.every((view) => view.filter((line) => line.masterId !== null).length === replicas.length) &&
      (await areOk(nodes))
    );
  });
}

async function areOk(nodes: readonly Node[]): Promise<boolean> {
  const infos = await Promise.all(nodes.map((node) => node.redis.cluster('INFO') as Promise<string>));
  return infos.every((info) => info.includes('cluster_state:ok'));
}

async function until(holds: () => Promise<boolean>, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error('the Redis Cluster did not come to an agreement in time');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
