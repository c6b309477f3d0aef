import { expect, it } from 'vitest';
import { runChaos } from './run.ts';

// The short form of `npm run chaos`: few prints, few faults, the same checker.
it('prints come once, in order and without a silent gap while processes and connections die', async () => {
  const log: string[] = [];
  const { verdict, rounds } = await runChaos({
    rounds: 4,
    seed: 7,
    faults: ['kill-writer', 'kill-api', 'restart-redis', 'cut-upstream'],
    rate: 300,
    symbolCount: 8,
    clientCount: 4,
    ingestCount: 2,
    apiCount: 2,
    isCluster: false,
    log: (line) => log.push(line),
  });
  expect(verdict.examples, log.join('\n')).toEqual([]);
  expect(verdict.violations).toBe(0);
  expect(new Set(rounds.map(({ fault }) => fault)).size).toBe(4);
  expect(verdict.compared).toBeGreaterThan(500);
}, 90_000);
