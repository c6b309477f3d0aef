/**
 * What a delivery costs, beside what it costs others: the product and its peers in turn, in the same call, so that each figure is
 * a ratio. `npm run bench -- delivery [scenario …] [--peers stock,pre-framed] [--rounds 2] [--seconds 4] [--json FILE]`
 *
 * The server under test has a core for itself; its clients, the publisher and Redis share the other one.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { connections } from './delivery/connections.ts';
import { type Contestant, CONTESTANTS } from './delivery/contestants.ts';
import { endToEnd } from './delivery/end-to-end.ts';
import { broadcast, flat, personal, watchlists } from './delivery/fan-out.ts';
import { highestBroadcast, highestWatchlists } from './delivery/highest.ts';
import { http } from './delivery/http.ts';
import { idle } from './delivery/idle.ts';
import {
  formatDisturbance,
  formatTable,
  formatVerdict,
  judgeGoal,
  type Run,
  takeMedians,
  type Verdict,
} from './delivery/report.ts';
import { type Scenario, SkippedError } from './delivery/scenario.ts';
import { slowReaders } from './delivery/slow-readers.ts';
import { TestBed } from './delivery/test-bed.ts';
import { workers } from './delivery/workers.ts';
import { canPin, LOAD_CORE, pinProcess, SERVER_CORE } from './load/cores.ts';

const SCENARIOS: readonly Scenario[] = [
  broadcast,
  watchlists,
  idle,
  highestBroadcast,
  personal,
  slowReaders,
  highestWatchlists,
  connections,
  flat,
  endToEnd,
  http,
  workers,
];
const ROUNDS = 2;

class UsageError extends Error {}

function readArguments(args: string[]) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      peers: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      json: { type: 'string' },
    },
  });
  const find = (name: string): Scenario => {
    const found = SCENARIOS.find((scenario) => scenario.name.toLowerCase() === name.toLowerCase());
    if (found !== undefined) return found;
    throw new UsageError(`There is no scenario ${name}: choose among ${SCENARIOS.map((one) => one.name).join(', ')}`);
  };
  const number = (name: 'rounds' | 'seconds'): number | null => {
    const text = values[name];
    if (text === undefined) return null;
    if (Number(text) > 0) return Number(text);
    throw new UsageError(`--${name} needs a number above 0`);
  };
  const peers = values.peers?.split(',').filter((name) => name !== '') ?? null;
  for (const name of peers ?? []) {
    if (!CONTESTANTS.includes(name as Contestant)) {
      throw new UsageError(`There is no peer ${name}: choose among ${CONTESTANTS.slice(1).join(', ')}`);
    }
  }
  return {
    scenarios: positionals.length === 0 ? SCENARIOS : positionals.map(find),
    // The product always runs: the peers are there for its ratios.
    contestants: peers === null ? null : CONTESTANTS.filter((name) => name === 'tapeql' || peers.includes(name)),
    rounds: number('rounds'),
    seconds: number('seconds'),
    json: values.json ?? null,
  };
}

type Options = ReturnType<typeof readArguments>;

function chooseContestants({ contestants, possible = CONTESTANTS }: Scenario, options: Options): readonly Contestant[] {
  return options.contestants?.filter((name) => possible.includes(name)) ?? contestants;
}

/** Round after round, in each the contestants in turn: what drifts in the machine drifts for all of them. */
async function runScenario(bed: TestBed, scenario: Scenario, options: Options, failures: string[]): Promise<Run[]> {
  const runs: Run[] = [];
  const rounds = options.rounds ?? scenario.rounds ?? ROUNDS;
  for (let round = 1; round <= rounds; round += 1) {
    for (const contestant of chooseContestants(scenario, options)) {
      const before = runs.findLast((run) => run.contestant === contestant)?.figures ?? null;
      try {
        const figures = await scenario.run(bed, contestant, { seconds: options.seconds ?? scenario.seconds, before });
        runs.push({ contestant, round, figures });
      } catch (error) {
        if (error instanceof SkippedError) console.log(`   skipped for ${contestant}: ${error.message}`);
        else failures.push(`${scenario.name} of ${contestant}, round ${round}: ${(error as Error).message}`);
      }
    }
  }
  return runs;
}

async function main(options: Options): Promise<number> {
  const machine = { node: process.version, cores: cpus().length, model: cpus()[0]?.model ?? 'unknown' };
  console.log(
    canPin
      ? `the server on core ${SERVER_CORE}, its load on core ${LOAD_CORE}`
      : 'processes cannot be pinned to cores here (no taskset, or one core): absolute figures hold what the load costs',
  );
  const began = Date.now();
  const report: object[] = [];
  const failures: string[] = [];
  pinProcess(process.pid, LOAD_CORE);
  const bed = await TestBed.start();
  try {
    for (const scenario of options.scenarios) {
      console.log(`\n${scenario.name}  ${scenario.title}`);
      const startedAt = Date.now();
      const runs = await runScenario(bed, scenario, options, failures);
      if (runs.length === 0) continue;
      const medians = takeMedians(runs);
      const verdicts = scenario.goals.map((goal): Verdict => judgeGoal(goal, medians));
      console.table(formatTable(scenario, runs));
      const disturbance = formatDisturbance(runs);
      if (disturbance !== null) console.log(`   ${disturbance}`);
      for (const verdict of verdicts) {
        if (verdict.outcome === 'not measured') continue;
        const text = formatVerdict(verdict, scenario.columns);
        console.log(`   ${text}`);
        if (verdict.outcome === 'missed') failures.push(`${scenario.name}: missed: ${text}`);
      }
      console.log(`   took ${Math.round((Date.now() - startedAt) / 1_000)} s`);
      report.push({
        name: scenario.name,
        title: scenario.title,
        medians: Object.fromEntries(medians),
        goals: verdicts.map(({ goal, ...rest }) => ({ ...goal, ...rest })),
        runs,
      });
    }
  } finally {
    await bed.stop();
  }
  if (options.json !== null) {
    const whole = { ...machine, at: new Date(began).toISOString(), isPinned: canPin, scenarios: report };
    writeFileSync(options.json, `${JSON.stringify(whole, null, 2)}\n`);
  }
  for (const failure of failures) console.error(failure);
  return failures.length === 0 ? 0 : 1;
}

// What runs beside this process ends at its `exit`, which a signal alone does not bring.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
try {
  process.exit(await main(readArguments(process.argv.slice(2))));
} catch (error) {
  const isUsage = error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
  console.error(isUsage === true ? (error as Error).message : error);
  process.exit(1);
}
