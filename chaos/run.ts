import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../src/feeds/simulator/random.ts';
import { Audience } from './audience.ts';
import { Checker, type Verdict } from './checker.ts';
import type { ResumingClient } from './client.ts';
import { type Fault, type FaultName, FAULTS, pick } from './faults.ts';
import type { LogName } from './subscriptions.ts';
import { TapeReader } from './tape.ts';
import { World } from './world.ts';

export type ChaosOptions = {
  readonly rounds: number;
  /** Decides which fault strikes when, and what the tape holds. */
  readonly seed: number;
  readonly faults: readonly FaultName[];
  /** Prints a second. */
  readonly rate: number;
  readonly symbolCount: number;
  readonly clientCount: number;
  readonly ingestCount: number;
  readonly apiCount: number;
  /** Three masters with a replica each in the place of one Redis. */
  readonly isCluster: boolean;
  /** Nobody is said to be stuck before so long, however slow the machine is. Default: what is given to each on one that is not. */
  readonly patienceMs?: number;
  readonly log: (line: string) => void;
};

export type Report = {
  readonly verdicts: Readonly<Record<LogName, Verdict>>;
  readonly rounds: readonly Round[];
  /** How often clients had to resume, by cause. */
  readonly resumed: Readonly<Record<string, number>>;
  readonly printsPerSecond: number;
  /** Warnings and errors of the processes. */
  readonly complaints: readonly string[];
};

export type Round = {
  readonly fault: FaultName;
  /** From the first blow until all was undone. */
  readonly struckMs: number;
  /** From then until a print had come to everybody. */
  readonly servedMs: number;
  /** The longest that one of the clients that read prints all the time went without one. */
  readonly longestSilenceMs: number;
  /** Prints and bars that clients were told to have missed, each client's counted. */
  readonly missedPrints: number;
  readonly missedBars: number;
  readonly violations: number;
};

const SERVED_WITHIN_MS = 30_000;
const STRIKE_LIMIT_MS = 60_000;
/** A reader that is behind moves within this time, and is no longer behind after the other, however slow the machine. */
const STUCK_MS = 30_000;
const DRAIN_LIMIT_MS = 150_000;
const DRAIN_POLL_MS = 50;
/** Often enough that the exchange's record reaches back, however long a round is. */
const TAPE_INTERVAL_MS = 5_000;

/** What a round has to do with. */
type Parts = {
  readonly world: World;
  readonly audience: Audience;
  readonly checkers: Readonly<Record<LogName, Checker>>;
  readonly tape: TapeReader;
  readonly random: Random;
  readonly patienceMs: number;
  readonly log: (line: string) => void;
};

/** Lets faults strike a system under load, one after the other, and holds what its clients got against the tape. */
export async function runChaos(options: ChaosOptions): Promise<Report> {
  const { log, seed, clientCount, patienceMs = 0 } = options;
  const random = new Random(seed);
  await using world = await World.start(options);
  const checkers = { trades: new Checker(), bars: new Checker() };
  const tape = new TapeReader({ restUrl: world.exchange.restUrl, symbols: world.symbols, checkers });
  await tape.read();
  await using audience = new Audience({
    size: clientCount,
    world,
    checkers,
    random: new Random(seed, 1),
    log,
  });
  const unserved = await untilServed(audience.clients, Math.max(SERVED_WITHIN_MS, patienceMs));
  if (unserved.length > 0) {
    throw new Error(
      `nothing comes to ${unserved.join(', ')} from the start:\n${listComplaints(world).slice(-20).join('\n')}`,
    );
  }
  const startedAt = performance.now();
  const tapedBefore = checkers.trades.verdict.taped;
  audience.takeLongestSilence();

  const rounds: Round[] = [];
  const parts = { world, audience, checkers, tape, random, patienceMs, log };
  for (const fault of orderFaults(options, random)) {
    rounds.push(await runRound(fault, rounds.length + 1, parts));
    // What is stuck stays so: further rounds would tell nothing.
    if (Object.values(checkers).some(({ verdict }) => (verdict.byKind['not served'] ?? 0) > 0)) break;
  }
  const verdicts = { trades: checkers.trades.verdict, bars: checkers.bars.verdict };
  const seconds = (performance.now() - startedAt) / 1_000;
  return {
    verdicts,
    rounds,
    resumed: audience.countResumed(),
    printsPerSecond: (verdicts.trades.taped - tapedBefore) / seconds,
    complaints: listComplaints(world),
  };
}

/** In the order of time. */
function listComplaints({ ingests, apis }: World): string[] {
  const complaints = [...ingests, ...apis].flatMap((member) =>
    member
      .listComplaints()
      .map((line) => ({ line: `${member.name}: ${line}`, time: /"time":"([^"]+)"/.exec(line)?.[1] })),
  );
  return complaints.toSorted((a, b) => (a.time ?? '').localeCompare(b.time ?? '')).map(({ line }) => line);
}

/** Each in turn first, in an order of the seed's; at random then. */
function* orderFaults({ faults, rounds }: ChaosOptions, random: Random): Generator<FaultName> {
  const inTurn = [...faults];
  for (let round = 0; round < rounds; round += 1) {
    yield inTurn.length > 0 ? inTurn.splice(random.below(inTurn.length), 1)[0]! : pick(faults, random);
  }
}

async function runRound(name: FaultName, number: number, parts: Parts): Promise<Round> {
  const { world, audience, checkers, tape, random, patienceMs, log } = parts;
  const fault: Fault = FAULTS[name];
  const both = Object.values(checkers);
  const countViolations = (): number => both.reduce((sum, { verdict }) => sum + verdict.violations, 0);
  const before = countViolations();
  log(`round ${number}: ${name}`);
  for (const checker of both) checker.beginRound();
  audience.dawdle();
  const startedAt = performance.now();
  // A history that is closed to the system is closed to the tape as well: it is read later.
  const reading = setInterval(() => void tape.read().catch(() => undefined), TAPE_INTERVAL_MS);
  await fault.strike({
    world,
    audience,
    random,
    objectTo: (client, detail) => checkers.trades.report('protocol', client, detail),
    signal: AbortSignal.timeout(Math.max(STRIKE_LIMIT_MS, patienceMs)),
  });
  const undoneAt = performance.now();
  const servedWithinMs = Math.max(fault.servedWithinMs ?? SERVED_WITHIN_MS, patienceMs);
  const late = await untilServed(audience.brisk, servedWithinMs);
  for (const client of late) checkers.trades.report('not served', client, `nothing after ${name}`);
  const servedAt = performance.now();
  audience.hurry();
  await compareAll(parts);
  if (!(await untilDrained(both, Math.max(STUCK_MS, patienceMs)))) {
    for (const checker of both) {
      for (const lag of checker.describeLag())
        checker.report('not served', lag, `the rest does not come after ${name}`);
    }
  }
  clearInterval(reading);
  // What follows a gap may have come only now: it is to count in this round.
  await compareAll(parts);
  if (fault.losesNothing) for (const checker of both) checker.expectNothingMissed(name);
  const round: Round = {
    fault: name,
    struckMs: Math.round(undoneAt - startedAt),
    servedMs: Math.round(servedAt - undoneAt),
    longestSilenceMs: Math.round(audience.takeLongestSilence()),
    missedPrints: checkers.trades.missedInRound,
    missedBars: checkers.bars.missedInRound,
    violations: countViolations() - before,
  };
  log(
    `  undone after ${round.struckMs} ms, served after another ${round.servedMs} ms, longest silence ` +
      `${round.longestSilenceMs} ms, ${round.missedPrints} prints and ${round.missedBars} bars told as missed, ` +
      `${round.violations} violations`,
  );
  return round;
}

async function compareAll({ tape, checkers }: Parts): Promise<void> {
  await tape.read();
  for (const checker of Object.values(checkers)) checker.compare();
}

/** Returns the names of those that no entry has reached in time. */
async function untilServed(clients: readonly ResumingClient[], withinMs: number): Promise<string[]> {
  const signal = AbortSignal.timeout(withinMs);
  const results = await Promise.allSettled(clients.map((client) => client.untilEntry(signal)));
  return clients.filter((_, index) => results[index]!.status === 'rejected').map(({ name }) => name);
}

/** Returns false where somebody lags behind and gets nothing for long, or gets something for ever and that not all. */
async function untilDrained(checkers: readonly Checker[], stuckMs: number): Promise<boolean> {
  const startedAt = performance.now();
  /** What each had received when that last became more. */
  const moved = new Map<string, { readonly received: number; readonly at: number }>();
  for (;;) {
    const now = performance.now();
    const lagging = checkers.flatMap((checker) => [...checker.listLagging()]);
    if (lagging.length === 0) return true;
    for (const [stream, received] of lagging) {
      const before = moved.get(stream);
      if (before?.received !== received) moved.set(stream, { received, at: now });
      else if (now - before.at > stuckMs) return false;
    }
    if (now - startedAt > DRAIN_LIMIT_MS) return false;
    await sleep(DRAIN_POLL_MS);
  }
}
