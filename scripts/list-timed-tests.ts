/**
 * Prints the test files in which deadlines of the product run in real time, one a line: those that shorten or lengthen one (a name that
 * ends in `Ms` or `Seconds`). What depends on the machine's speed is found there first, so CI runs them once more under load.
 */
import { readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import path from 'node:path';

const SETS_DEADLINE = /\b\w+(?:Ms|Seconds): (?:\d|[A-Z_]+\b)/;

const root = path.join(import.meta.dirname, '..');
for await (const file of glob('{src,test}/**/*.test.ts', { cwd: root })) {
  const text = readFileSync(path.join(root, file), 'utf8');
  // A browser's or a Cluster's share of the work is not the product's.
  const isHeavy = /\/(browser|dashboard|redis-cluster)\.ts'/.test(text);
  if (!isHeavy && SETS_DEADLINE.test(text)) process.stdout.write(`${file}\n`);
}
