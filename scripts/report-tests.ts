/** What CI prints last: the slowest tests of a run, from vitest's JSON report, and the counts; exit status 1 where nothing ran. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

const SHOWN = 20;

type Report = {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly duration?: number | null;
    }[];
  }[];
};

const report = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as Report;
const root = path.join(import.meta.dirname, '..');
const tests = report.testResults.flatMap(({ name, assertionResults }) =>
  assertionResults.map(({ fullName, duration }) => ({
    title: `${path.relative(root, name)}: ${fullName}`,
    seconds: (duration ?? 0) / 1000,
  })),
);
process.stdout.write(`The ${SHOWN} slowest of ${tests.length} tests:\n`);
for (const { title, seconds } of tests.toSorted((a, b) => b.seconds - a.seconds).slice(0, SHOWN)) {
  process.stdout.write(`${seconds.toFixed(1).padStart(6)} s  ${title}\n`);
}
// A test file that could not even be loaded has no tests to count: it counts as one that failed.
const broken = report.testResults.filter(
  ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
);
process.stdout.write(`\n${report.numPassedTests} passed, ${report.numFailedTests + broken.length} failed\n`);
if (report.numPassedTests === 0) process.exitCode = 1;
