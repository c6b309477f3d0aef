import { availableParallelism } from 'node:os';
import path from 'node:path';
import { defineConfig } from 'vitest/config';
import { DEADLINE_MS } from './test/deadline.ts';

/**
 * Each test file has a process of its own, and many start a server beside it: Node keeps what it has compiled for the next of them, which
 * starts in half the time. Coverage is none the worse for it: what it counts is compiled by Vite.
 */
process.env['NODE_COMPILE_CACHE'] ??= path.join(import.meta.dirname, 'build', 'compile-cache');

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
    pool: 'forks',
    // Most of them wait for sockets and processes: on a machine of two cores a third worker halves the time.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      exclude: ['src/**/*.test.ts'],
      reporter: ['text-summary', 'html'],
      thresholds: { lines: 90 },
    },
  },
});
