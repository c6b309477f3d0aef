import { availableParallelism } from 'node:os';
import path from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { DEADLINE_MS } from './test/deadline.ts';

/**
 * Each test file has a process of its own, and many start a server beside it: Node keeps what it has compiled for the next of them, which
 * starts in half the time. Coverage is none the worse for it: what it counts is compiled by Vite.
 */
process.env['NODE_COMPILE_CACHE'] ??= path.join(import.meta.dirname, 'build', 'compile-cache');

/** Those that take longest, by their browser or their processes: they come first, so that none of them runs alone at the end. */
const LONG =
  /chaos\.test|dashboard-|workers\.test|cluster-loss|\/database\.test|main\.test|attacks|examples|tape-client|ingest-path/;

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification): boolean => LONG.test(moduleId);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  resolve: {
    // Two copies of graphql ("from another module or realm") come of loading it once as ESM and once as CommonJS.
    alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }],
  },
  test: {
    globalSetup: ['test/setup.ts'],
    include: [
      'src/**/*.test.ts',
      'client/**/*.test.ts',
      'chaos/**/*.test.ts',
      'bench/**/*.test.ts',
      'test/**/*.test.ts',
    ],
    expect: { poll: { timeout: DEADLINE_MS, interval: 10 } },
    provide: { deadlineMs: DEADLINE_MS },
    // Beyond the deadline, so that what a test waited for in vain is named.
    testTimeout: 2 * DEADLINE_MS,
    hookTimeout: 2 * DEADLINE_MS,
    sequence: { sequencer: LongestFirst },
    pool: 'forks',
    // Each file has modules of its own, but not a process: to start one for each of them took a tenth of the time.
    isolate: false,
    // Most of them wait for sockets and processes now and then: more workers than cores keep a small machine busy.
    maxWorkers: Math.max(4, availableParallelism() - 1),
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      exclude: ['src/**/*.test.ts'],
      reporter: ['text-summary', 'html'],
      thresholds: { lines: 90 },
    },
  },
});
