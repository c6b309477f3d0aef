/** A process for the bench: readers of prints, thousands of them, which go on elsewhere when their server is gone. */
import { setTimeout as sleep } from 'node:timers/promises';
import { nowMicros } from './clock.ts';
import { createTally, LogClient, type LogTally } from './log-client.ts';
import { type Percentiles, summarize } from './percentiles.ts';
import { serve } from './servant.ts';
import { pickSymbols, type Watching } from './symbols.ts';
import { signToken } from './token.ts';

/** Those whose server is killed, and those who were at the other all the time. */
export type Group = 'moving' | 'staying';

export type OpenRequest = {
  readonly group: Group;
  readonly count: number;
  /** See `LogClientOptions.ports`. */
  readonly ports: readonly number[];
  readonly watching: Watching;
  readonly jitterMs: number;
  readonly secret: string;
};

export type Received = Pick<LogTally, 'entries' | 'silentGaps' | 'repeated' | 'gapsTold' | 'troubles' | 'words'> & {
  /** In ms, of the prints that came since the last {@link forgetAges}. */
  readonly ages: Percentiles;
};

/** In ms since a moment. */
export type Returned = {
  /** How many have lost their connection since, and how many of them had their first print again. */
  readonly lost: number;
  readonly resumed: number;
  /** How many of them had had no print before, and so no cursor. */
  readonly placeless: number;
  readonly lostAfter: Percentiles;
  readonly askedAfter: Percentiles;
  readonly resumedAfter: Percentiles;
  /** From when on nobody was given anything older than a second. */
  readonly levelAfter: number;
};

const AT_A_TIME = 64;
const READ_BYTES = 256 * 1024;

const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
const clients: Record<Group, LogClient[]> = { moving: [], staying: [] };
const tallies: Record<Group, LogTally> = { moving: createTally(), staying: createTally() };
let opened = 0;

/** Resolves when all have subscribed. */
async function open({ group, count, ports, watching, jitterMs, secret }: OpenRequest): Promise<void> {
  let next = 0;
  const openInTurn = async (): Promise<void> => {
    while (next < count) {
      const number = next++;
      const symbols = pickSymbols(number, watching);
      const token = signToken(`user-${group}-${number}`, secret);
      const tally = tallies[group];
      const client = new LogClient({ ports, symbols, token, number: opened++, jitterMs, buffer, tally });
      clients[group].push(client);
      await client.opened;
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, count) }, openInTurn));
}

function read(group: Group): Received {
  const { agesMs, lastLateAt: _, ...rest } = tallies[group];
  return { ...rest, ages: summarize(agesMs) };
}

function forgetAges(): void {
  for (const tally of Object.values(tallies)) tally.agesMs = [];
}

function readReturn({ since }: { readonly since: number }): Returned {
  const returns = clients.moving.flatMap(({ lastReturn }) =>
    lastReturn !== null && lastReturn.lostAt >= since ? [lastReturn] : [],
  );
  const after = (times: readonly (number | null)[]): number[] =>
    times.flatMap((time) => (time === null ? [] : [(time - since) / 1e3]));
  const resumedAfter = after(returns.map(({ resumedAt }) => resumedAt));
  const { lastLateAt } = tallies.moving;
  return {
    lost: returns.length,
    resumed: resumedAfter.length,
    placeless: clients.moving.filter(({ hasLostPlace }) => hasLostPlace).length,
    lostAfter: summarize(after(returns.map(({ lostAt }) => lostAt))),
    askedAfter: summarize(after(returns.map(({ askedAt }) => askedAt))),
    resumedAfter: summarize(resumedAfter),
    levelAfter: lastLateAt === null || lastLateAt < since ? 0 : (lastLateAt - since) / 1e3,
  };
}

/**
 * How many prints of all clients' symbols have not come, by where each log ends. Waits for them, as long as `limitMs`, for they
 * may be on their way.
 */
async function countMissing({
  ends,
  limitMs,
}: {
  ends: ReadonlyMap<string, number>;
  limitMs: number;
}): Promise<number> {
  const until = nowMicros() + limitMs * 1e3;
  for (;;) {
    let missing = 0;
    for (const { symbols, sequences, hasLostPlace } of [...clients.moving, ...clients.staying]) {
      if (hasLostPlace) continue;
      for (const symbol of symbols) missing += Math.max(0, (ends.get(symbol) ?? 0) - (sequences.get(symbol) ?? 0));
    }
    if (missing === 0 || nowMicros() > until) return missing;
    await sleep(50);
  }
}

const commands = { open, read, forgetAges, readReturn, countMissing };
export type LogGeneratorCommands = typeof commands;
serve(commands);
