/**
 * What the README's figures come from: `npm run bench` runs every scenario but the soak and the dashboard in turn, `npm run bench -- cache` one of them;
 * what follows a name is passed on. Each runs in a process of its own, so that one does not warm or load another.
 */
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import path from 'node:path';

const SCENARIOS = [
  'attack',
  'cache',
  'delivery',
  'firehose',
  'ingest',
  'ingest-cluster',
  'orders',
  'resume',
  'start',
  'steady-state',
  'viewers',
] as const;
/** Half an hour, and a browser: each runs where it is named alone. */
const NAMED_SCENARIOS = ['dashboard', 'soak'] as const;
const ALL = [...SCENARIOS, ...NAMED_SCENARIOS];

const [name, ...rest] = process.argv.slice(2);
const chosen = name === undefined ? SCENARIOS : ALL.filter((scenario) => scenario === name);
if (chosen.length === 0) {
  process.stderr.write(`There is no scenario ${name}: choose among ${ALL.join(', ')}\n`);
  process.exit(1);
}
process.stdout.write(`Node ${process.version}, ${cpus().length} cores, ${cpus()[0]?.model ?? 'unknown'}\n`);
let failures = 0;
for (const scenario of chosen) {
  process.stdout.write(`\n== ${scenario}\n`);
  const file = path.join(import.meta.dirname, `${scenario}.ts`);
  const { status } = spawnSync(process.execPath, [file, ...rest], { stdio: 'inherit' });
  if (status !== 0) failures++;
}
process.exitCode = failures === 0 ? 0 : 1;
