import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../src/feeds/simulator/random.ts';
import { Checker, type Verdict } from './checker.ts';
import { ResumingClient } from './client.ts';
import { type Fault, type FaultName, FAULTS, pick } from './faults.ts';
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
  readonly log: (line: string) => void;
};

export type Report = {
  readonly verdict: Verdict;
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
  /** The longest that one of the clients went without a print. */
  readonly longestSilenceMs: number;
  /** Prints that clients were told to have missed, each client's counted. */
  readonly missed: number;
  readonly violations: number;
};

const SERVED_WITHIN_MS = 30_000;
const STRIKE_LIMIT_MS = 60_000;
const DRAIN_LIMIT_MS = 30_000;
const DRAIN_POLL_MS = 50;

/** Lets faults strike a system under load, one after the other, and holds what its clients got against the tape. */
export async function runChaos(options: ChaosOptions): Promise<Report> {
  const { log, seed } = options;
  const random = new Random(seed);
  const checker = new Checker();
  await using world = await World.start(options);
  const tape = new TapeReader(world.exchange.restUrl, world.symbols);
  await tape.read(checker);
  await using stack = new AsyncDisposableStack();
  const clients = startClients(options, world, checker, stack);
  const unserved = await untilServed(clients, SERVED_WITHIN_MS);
  if (unserved.length > 0) {
    throw new Error(
      `nothing comes to ${unserved.join(', ')} from the start:\n${listComplaints(world).slice(-20).join('\n')}`,
    );
  }
  const startedAt = performance.now();
  const tapedBefore = checker.verdict.taped;
  for (const client of clients) client.takeLongestSilence();

  const rounds: Round[] = [];
  for (const fault of orderFaults(options, random)) {
    rounds.push(await runRound(fault, { world, clients, checker, tape, random, log, number: rounds.length + 1 }));
    // What is stuck stays so: further rounds would tell nothing.
    if ((checker.verdict.byKind['not served'] ?? 0) > 0) break;
  }
  const { verdict } = checker;
  const seconds = (performance.now() - startedAt) / 1_000;
  const resumed: Record<string, number> = {};
  for (const client of clients) {
    for (const [cause, count] of client.resumed) resumed[cause] = (resumed[cause] ?? 0) + count;
  }
  const printsPerSecond = (verdict.taped - tapedBefore) / seconds;
  return { verdict, rounds, resumed, printsPerSecond, complaints: listComplaints(world) };
}

function listComplaints({ ingests, apis }: World): string[] {
  return [...ingests, ...apis].flatMap((member) => member.listComplaints().map((line) => `${member.name}: ${line}`));
}

/** Half of the symbols to each, overlapping by a half with the next one's, so that each is read on several processes. */
function startClients(
  { clientCount, log }: ChaosOptions,
  world: World,
  checker: Checker,
  stack: AsyncDisposableStack,
): ResumingClient[] {
  const half = Math.ceil(world.symbols.length / 2);
  const twice = [...world.symbols, ...world.symbols];
  return Array.from({ length: clientCount }, (_, index) => {
    const from = Math.floor((index * half) / 2) % world.symbols.length;
    const client = new ResumingClient({
      name: `client ${index + 1}`,
      symbols: twice.slice(from, from + half),
      listUrls: () => world.listUrls(),
      first: index,
      checker,
      log,
    });
    client.start();
    stack.defer(() => client.close());
    return client;
  });
}

/** Each in turn first, in an order of the seed's; at random then. */
function* orderFaults({ faults, rounds }: ChaosOptions, random: Random): Generator<FaultName> {
  const inTurn = [...faults];
  for (let round = 0; round < rounds; round += 1) {
    yield inTurn.length > 0 ? inTurn.splice(random.below(inTurn.length), 1)[0]! : pick(faults, random);
  }
}

async function runRound(
  name: FaultName,
  parts: {
    readonly world: World;
    readonly clients: readonly ResumingClient[];
    readonly checker: Checker;
    readonly tape: TapeReader;
    readonly random: Random;
    readonly log: (line: string) => void;
    readonly number: number;
  },
): Promise<Round> {
  const { world, clients, checker, tape, random, log, number } = parts;
  const fault: Fault = FAULTS[name];
  const before = checker.verdict;
  log(`round ${number}: ${name}`);
  checker.beginRound();
  const startedAt = performance.now();
  await fault.strike({ world, clients, random, signal: AbortSignal.timeout(STRIKE_LIMIT_MS) });
  const undoneAt = performance.now();
  const late = await untilServed(clients, fault.servedWithinMs ?? SERVED_WITHIN_MS);
  for (const client of late) checker.report('not served', client, `no print after ${name}`);
  const servedAt = performance.now();
  await tape.read(checker);
  checker.compare();
  if (!(await untilDrained(checker))) {
    for (const lag of checker.describeLag()) checker.report('not served', lag, `the rest does not come after ${name}`);
  }
  // What follows a gap may have come only now: it is to count in this round.
  await tape.read(checker);
  checker.compare();
  const missed = checker.missedInRound;
  if (missed > 0 && fault.losesNothing) checker.report('needless gap', 'all', `${missed} prints in ${name}`);
  const round: Round = {
    fault: name,
    struckMs: Math.round(undoneAt - startedAt),
    servedMs: Math.round(servedAt - undoneAt),
    longestSilenceMs: Math.round(Math.max(...clients.map((client) => client.takeLongestSilence()))),
    missed,
    violations: checker.verdict.violations - before.violations,
  };
  log(
    `  undone after ${round.struckMs} ms, served after another ${round.servedMs} ms, longest silence ` +
      `${round.longestSilenceMs} ms, ${missed} prints told as missed, ${round.violations} violations`,
  );
  return round;
}

/** Returns the names of those that no print has reached in time. */
async function untilServed(clients: readonly ResumingClient[], withinMs: number): Promise<string[]> {
  const signal = AbortSignal.timeout(withinMs);
  const results = await Promise.allSettled(clients.map((client) => client.untilPrint(signal)));
  return clients.filter((_, index) => results[index]!.status === 'rejected').map(({ name }) => name);
}

async function untilDrained(checker: Checker): Promise<boolean> {
  const deadline = performance.now() + DRAIN_LIMIT_MS;
  while (!checker.isDrained()) {
    if (performance.now() > deadline) return false;
    await sleep(DRAIN_POLL_MS);
  }
  return true;
}
