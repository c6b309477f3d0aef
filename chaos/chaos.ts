/**
 * Whether the guarantees hold while things die: `npm run chaos -- [--rounds 20] [--seed N] [--faults kill-writer,pause]
 * [--rate 5000] [--cluster]`. Ends with 1 where a print was lost without a word, came twice or out of order, or never came.
 * Everything runs on loopback, in processes of its own that end with it.
 */
import { parseArgs } from 'node:util';
import type { Verdict } from './checker.ts';
import { type Fault, FAULTS, type FaultName } from './faults.ts';
import { runChaos } from './run.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    faults: { type: 'string' },
    rate: { type: 'string', default: '5000' },
    symbols: { type: 'string', default: '50' },
    clients: { type: 'string', default: '8' },
    cluster: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

function describeUsage(): string {
  const faults = Object.entries(FAULTS).map(([name, { about }]) => `  ${name.padEnd(30)} ${about}`);
  return `npm run chaos -- [--rounds 20] [--seed N] [--faults a,b] [--rate prints a second] [--symbols 50] [--clients 8] [--cluster]\n\nFaults:\n${faults.join('\n')}\n`;
}

function readCount(name: 'rounds' | 'seed' | 'rate' | 'symbols' | 'clients'): number {
  const count = Number(values[name]);
  if (!Number.isSafeInteger(count) || count < 1) throw new RangeError(`--${name} needs a whole number above 0`);
  return count;
}

function readFaults(): FaultName[] {
  const all = Object.entries(FAULTS) as [FaultName, Fault][];
  const redis = values.cluster ? 'a Cluster' : 'one server';
  const known = all.flatMap(([name, { needs = redis }]) => (needs === redis ? [name] : []));
  if (values.faults === undefined) return known;
  return values.faults.split(',').map((name) => {
    const fault = known.find((one) => one === name);
    if (fault === undefined) throw new RangeError(`no fault is called "${name}" with ${redis}`);
    return fault;
  });
}

function summarize(verdict: Verdict): Record<string, number> {
  return {
    'on the tape': verdict.taped,
    'received by all clients': verdict.received,
    compared: verdict.compared,
    'gaps told': verdict.gapsTold,
    'missed in those': verdict.missedTold,
    'of them empty': verdict.emptyGapsTold,
    violations: verdict.violations,
    ...verdict.byKind,
  };
}

async function run(): Promise<number> {
  if (values.help) {
    process.stdout.write(describeUsage());
    return 0;
  }
  const startedAt = performance.now();
  const options = {
    rounds: readCount('rounds'),
    seed: readCount('seed'),
    faults: readFaults(),
    rate: readCount('rate'),
    symbolCount: readCount('symbols'),
    clientCount: readCount('clients'),
    ingestCount: 2,
    apiCount: 2,
    isCluster: values.cluster,
    log: (line: string) =>
      void process.stdout.write(`${((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6)} s  ${line}\n`),
  };
  options.log(`seed ${options.seed}, ${options.rounds} rounds, ${options.rate} prints/s`);
  const { verdicts, rounds, resumed, printsPerSecond, complaints } = await runChaos(options);
  console.table(rounds);
  console.log(`${Math.round(printsPerSecond)} prints/s on the tape`);
  console.table({ prints: summarize(verdicts.trades), bars: summarize(verdicts.bars) });
  console.table(resumed);
  const examples = [...verdicts.trades.examples, ...verdicts.bars.examples];
  if (examples.length === 0) return 0;
  console.table(examples);
  process.stdout.write(`What the processes complained of:\n${complaints.slice(-100).join('\n')}\n`);
  const { argv } = process;
  process.stdout.write(`Again: npm run chaos -- ${[...argv.slice(2), '--seed', options.seed].join(' ')}\n`);
  return 1;
}

try {
  process.exitCode = await run();
} catch (error) {
  if (!(error instanceof RangeError)) throw error;
  process.stderr.write(`${error.message}\n\n${describeUsage()}`);
  process.exitCode = 2;
}
