import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../src/feeds/simulator/random.ts';
import type { Audience } from './audience.ts';
import type { ResumingClient } from './client.ts';
import { CLOCK_STEPS } from './clock-steps.ts';
import type { Member, World } from './world.ts';

/** Who holds it writes. */
const WRITER_ROLE = 'ingest:lease';
const POLL_MS = 10;
/** Longer than any lease, so that a process that stood still so long is no writer any more. */
const LONGER_THAN_A_LEASE_MS = 15_000;

/** How a client's connection ends where the process goes away. */
const GOING_AWAY = new Set(['closed 1001', 'SSE cut']);

const REDIS_FROZEN_MS = 5_000;
/** Longer than the lease of the writer. */
const REDIS_FULL_MS = 8_000;
/** Longer than a second, within which the clock is looked at. */
const CLOCK_WRONG_MS = 3_000;
/** Prints enough come that those who are away have missed some before anything happens. */
const AWAY_BEFORE_MS = 500;
const SLOTS_MOVED = 5;
const HISTORY_REFUSED_MS = 6_000;

/** What there is to strike. */
export type Target = {
  readonly world: World;
  readonly audience: Audience;
  /** For what a client gets that the contract does not allow. */
  readonly objectTo: (client: string, detail: string) => void;
  readonly random: Random;
  /** To give up by. */
  readonly signal: AbortSignal;
};

export type Fault = {
  readonly about: string;
  /** What Redis has to be for it. Default: either. */
  readonly needs?: 'one server' | 'a Cluster';
  /** Nothing is lost in it, so that nothing need be told. */
  readonly losesNothing?: true;
  /** Within this time of its end prints flow to everybody again. Default 30 s. */
  readonly servedWithinMs?: number;
  /** Does it and undoes it: at the end everything runs again. */
  readonly strike: (target: Target) => Promise<void>;
};

/** Everything that happens to a system that runs for long. */
export const FAULTS = {
  'kill-writer': {
    about: 'kill -9 the ingest process that writes; start it again once another one writes',
    servedWithinMs: 10_000,
    losesNothing: true,
    strike: async ({ world, signal }) => {
      const writer = await world.findWriter(signal);
      await writer.kill();
      if (world.ingests.length > 1) await world.findWriter(signal);
      await writer.start();
    },
  },
  'stop-writer': {
    about: 'end the ingest process that writes in order; start it again once another one writes',
    servedWithinMs: 10_000,
    losesNothing: true,
    strike: async ({ world, signal }) => {
      const writer = await world.findWriter(signal);
      await writer.stop();
      if (world.ingests.length > 1) await world.findWriter(signal);
      await writer.start();
    },
  },
  'freeze-writer': {
    about: 'SIGSTOP the ingest process that writes for longer than its lease, then SIGCONT',
    losesNothing: true,
    strike: async ({ world, signal }) => {
      const writer = await world.findWriter(signal);
      writer.pause();
      await sleep(LONGER_THAN_A_LEASE_MS);
      writer.goOn();
    },
  },
  'kill-api': {
    about: 'kill -9 an api process; start it again when its clients have moved',
    losesNothing: true,
    strike: async ({ world, random }) => {
      const api = pick(world.apis, random);
      await api.kill();
      await sleep(1_000 + random.next() * 2_000);
      await api.start();
    },
  },
  'stop-api': {
    about: 'end an api process in order, which says 1001 to its clients; start it again when they have moved',
    losesNothing: true,
    strike: async ({ world, audience, random, objectTo, signal }) => {
      const api = pick(world.apis, random);
      const endings = audience.brisk.map((client) => watchEnd(client, api, objectTo, signal));
      await api.stop();
      await Promise.all(endings);
      await sleep(random.next() * 2_000);
      await api.start();
    },
  },
  'cut-clients': {
    about: 'cut the connections of all clients without a close frame',
    losesNothing: true,
    strike: async ({ audience }) => {
      for (const client of audience.clients) client.cut();
    },
  },
  'stall-clients': {
    about: 'let half of the clients read nothing for some seconds, and the slow readers for longer',
    losesNothing: true,
    strike: async ({ audience, random }) => {
      const stalled = audience.brisk.filter((_, index) => index % 2 === 0);
      audience.hurry();
      for (const client of [...stalled, ...audience.slow]) client.stall();
      await sleep(2_000 + random.next() * 4_000);
      for (const client of stalled) client.goOn();
      await sleep(6_000);
      for (const client of audience.slow) client.goOn();
    },
  },
  'cut-upstream': {
    about: 'cut the connection to the exchange and refuse it for some seconds; its history answers',
    losesNothing: true,
    strike: ({ world, random }) => cutUpstream(world, 1_000 + random.next() * 4_000),
  },
  'kill-writer-and-cut-upstream': {
    about: 'kill -9 the ingest process that writes; cut the connection of the next one as soon as it has one',
    losesNothing: true,
    strike: async ({ world, random, signal }) => {
      const writer = await world.findWriter(signal);
      await writer.kill();
      if (world.ingests.length > 1) await world.findWriter(signal);
      await Promise.all([writer.start(), cutUpstream(world, 500 + random.next() * 2_000)]);
    },
  },
  'cut-upstream-without-history': {
    about: 'cut the connection to the exchange and refuse it for some seconds; its history of prints is closed to us',
    strike: ({ world, random }) => cutUpstream(world, 1_000 + random.next() * 2_000, '/v3/trades/'),
  },
  'cut-upstream-without-bars': {
    about: 'the same with its history of bars',
    strike: ({ world, random }) => cutUpstream(world, 1_000 + random.next() * 2_000, '/v2/aggs/'),
  },
  'restart-redis': {
    about: 'restart Redis with its data',
    needs: 'one server',
    losesNothing: true,
    strike: ({ world }) => world.redis!.restart({ keepData: true }),
  },
  'empty-redis': {
    about: 'kill -9 Redis and start it without its data; some clients are away',
    needs: 'one server',
    strike: (target) => whileSomeAreAway(target, ({ world }) => world.redis!.restart()),
  },
  'freeze-redis': {
    about: 'SIGSTOP Redis for 5 s',
    needs: 'one server',
    losesNothing: true,
    strike: async ({ world }) => {
      world.redis!.pause();
      await sleep(REDIS_FROZEN_MS);
      world.redis!.resume();
    },
  },
  'freeze-redis-past-the-lease': {
    about: 'SIGSTOP Redis for longer than the lease of the writer, so that another may have the role afterwards',
    needs: 'one server',
    losesNothing: true,
    strike: async ({ world }) => {
      world.redis!.pause();
      await sleep(LONGER_THAN_A_LEASE_MS);
      world.redis!.resume();
    },
  },
  'empty-redis-without-writer': {
    about: 'kill -9 the ingest process that writes and Redis, and start both, without the data',
    needs: 'one server',
    strike: async ({ world, signal }) => {
      const writer = await world.findWriter(signal);
      await Promise.all([writer.kill(), world.redis!.restart()]);
      await writer.start();
    },
  },
  'freeze-redis-without-api': {
    about: 'SIGSTOP Redis for 5 s, and kill -9 an api process meanwhile',
    needs: 'one server',
    losesNothing: true,
    strike: async ({ world, random }) => {
      const api = pick(world.apis, random);
      world.redis!.pause();
      await Promise.all([api.kill(), sleep(REDIS_FROZEN_MS)]);
      world.redis!.resume();
      await api.start();
    },
  },
  'fill-redis': {
    about: 'leave Redis no room for anything more for 8 s',
    needs: 'one server',
    losesNothing: true,
    strike: async ({ world }) => {
      const makeRoom = await world.fillRedis();
      await sleep(REDIS_FULL_MS);
      await makeRoom();
    },
  },
  'remove-log': {
    about: 'remove the prints of one symbol from Redis, as where it evicts them; some clients are away',
    strike: (target) =>
      whileSomeAreAway(target, async ({ world, random, signal }) => {
        while (!(await world.removeKey(`history:{${pick(world.symbols, random)}}:trades`))) {
          signal.throwIfAborted();
          await sleep(100);
        }
      }),
  },
  'step-clock': {
    about: 'set the clocks of the writer and of an api process back by a minute, forward by an hour, and right again',
    losesNothing: true,
    strike: async ({ world, random, signal }) => {
      const members = [await world.findWriter(signal), pick(world.apis, random)];
      for (let step = 0; step < CLOCK_STEPS; step += 1) {
        for (const member of members) member.stepClock();
        await sleep(CLOCK_WRONG_MS);
      }
    },
  },
  'flush-redis': {
    about: 'remove all data from Redis, from the nodes of a Cluster one after the other; its connections stay',
    strike: async ({ world, signal }) => {
      await world.flushRedis();
      // The role of the writer is lost with the rest: what strikes next strikes a system in which it is held again.
      while ((await world.readRedis(WRITER_ROLE)) === null) {
        signal.throwIfAborted();
        await sleep(POLL_MS);
      }
      await world.findWriter(signal);
    },
  },
  'migrate-slots': {
    about: 'move the slots of some symbols to another master',
    needs: 'a Cluster',
    losesNothing: true,
    strike: async ({ world: { cluster, symbols }, random }) => {
      for (let slot = 0; slot < SLOTS_MOVED; slot += 1) await cluster!.migrateSlot(`{${pick(symbols, random)}}`);
    },
  },
  'fail-over': {
    about: 'have a replica take over from its master, in order',
    needs: 'a Cluster',
    losesNothing: true,
    strike: async ({ world: { cluster }, random }) =>
      void (await cluster!.failOver(pick(await cluster!.masters(), random))),
  },
  'kill-master': {
    about: 'kill -9 a master; start it again as a replica once its own has taken over',
    needs: 'a Cluster',
    strike: async ({ world: { cluster }, random }) => {
      const master = pick(await cluster!.masters(), random);
      await cluster!.killMaster(master);
      await cluster!.revive(master);
    },
  },
  'kill-master-with-stale-replica': {
    about:
      'SIGSTOP a replica for some seconds, kill -9 its master, SIGCONT: what it lacks is lost; some clients are away',
    needs: 'a Cluster',
    strike: (target) =>
      whileSomeAreAway(target, async ({ world: { cluster }, random }) => {
        const master = pick(await cluster!.masters(), random);
        await cluster!.killMaster(master, { whileStale: () => sleep(1_000 + random.next() * 3_000) });
        await cluster!.revive(master);
      }),
  },
  'lose-master': {
    about: 'kill -9 a master together with its replica and start both without the data; some clients are away',
    needs: 'a Cluster',
    strike: (target) =>
      whileSomeAreAway(target, async ({ world: { cluster }, random }) =>
        cluster!.loseMaster(pick(await cluster!.masters(), random)),
      ),
  },
  pause: {
    about: 'pause all replicas by market-data:control for some seconds',
    losesNothing: true,
    strike: async ({ world, random }) => {
      await control(world, 'pause');
      await sleep(1_000 + random.next() * 3_000);
      await control(world, 'resume');
    },
  },
} satisfies Record<string, Fault>;

export type FaultName = keyof typeof FAULTS;

export function pick<T>(from: readonly T[], random: Random): T {
  return from[Math.floor(random.next() * from.length)]!;
}

/** Every third of the clients is cut off before it and comes back after it, with a cursor of before. */
async function whileSomeAreAway(target: Target, strike: Fault['strike']): Promise<void> {
  const away = target.audience.clients.filter((_, index) => index % 3 === 0);
  for (const client of away) client.leave();
  await sleep(AWAY_BEFORE_MS);
  await strike(target);
  for (const client of away) client.comeBack();
}

/** `closed`: what of the history is refused, by its path. */
async function cutUpstream({ exchange }: World, forMs: number, closed?: '/v3/trades/' | '/v2/aggs/'): Promise<void> {
  if (closed !== undefined) {
    await exchange.setFault('rest-path', closed);
    await exchange.setFault('rest-status', '403');
  }
  await exchange.setFault('upgrade-status', '503');
  await exchange.setFault('drop-every', '1ms');
  await sleep(forMs);
  await exchange.clearFault('drop-every');
  await exchange.clearFault('upgrade-status');
  if (closed === undefined) return;
  // Refused for as long as it may be asked after the return.
  await sleep(HISTORY_REFUSED_MS);
  await exchange.clearFault('rest-status');
  await exchange.clearFault('rest-path');
}

/** Has the end of a client's connection to a process that stops in order looked at: it says that it goes, and not that a log is over. */
async function watchEnd(
  client: ResumingClient,
  { url }: Member,
  objectTo: Target['objectTo'],
  signal: AbortSignal,
): Promise<void> {
  if (client.url !== url || !client.isConnected) return;
  const cause = await client.untilEnd(signal);
  if (!GOING_AWAY.has(cause)) objectTo(client.name, `an api process that stops in order: ${cause}`);
}

async function control(world: World, action: 'pause' | 'resume'): Promise<void> {
  await world.publish('market-data:control', JSON.stringify({ action, data: { reason: 'chaos' } }));
}
