/**
 * `npm run test:loaded [-- FILTER…]`: the tests while two busy loops per core run beside them, to find those that depend on how fast
 * the machine is. What follows is handed on to vitest. The loops end with the tests, with this process, or after a bounded time.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import path from 'node:path';

const LOOPS_PER_CORE = 2;
const BOUND_MS = 45 * 60_000;
/** Looks at the clock and for its parent from time to time, and does nothing else. */
const BUSY_LOOP = `
  const end = Date.now() + ${BOUND_MS};
  const parent = process.ppid;
  while (Date.now() < end && process.ppid === parent) for (let i = 0; i < 1e7; i++);
`;

const loops = Array.from({ length: LOOPS_PER_CORE * availableParallelism() }, () =>
  spawn(process.execPath, ['-e', BUSY_LOOP], { stdio: 'ignore' }),
);
process.stdout.write(`${loops.length} busy loops run beside the tests\n`);
const vitest = path.join(import.meta.dirname, '../node_modules/vitest/vitest.mjs');
const tests = spawn(process.execPath, [vitest, 'run', ...process.argv.slice(2)], { stdio: 'inherit' });
const [status] = (await once(tests, 'exit')) as [number | null];
for (const loop of loops) loop.kill('SIGKILL');
process.exitCode = status ?? 1;
