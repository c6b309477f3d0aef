import { expect, it } from 'vitest';
import { type ChaosOptions, runChaos } from './run.ts';

// The short form of `npm run chaos`: fewer prints, some of the faults, the same checker.

async function expectNoViolation(faults: ChaosOptions['faults'], isCluster: boolean): Promise<void> {
  const log: string[] = [];
  const { verdict, rounds, complaints } = await runChaos({
    rounds: faults.length,
    seed: 7,
    faults,
    rate: 300,
    symbolCount: 8,
    clientCount: 4,
    ingestCount: 2,
    apiCount: 2,
    isCluster,
    log: (line) => log.push(line),
  });
  expect(verdict.examples, [...log, ...complaints.slice(-20)].join('\n')).toEqual([]);
  expect(verdict.violations).toBe(0);
  expect(rounds.map(({ fault }) => fault).toSorted()).toEqual(faults.toSorted());
  expect(verdict.compared).toBeGreaterThan(500);
}

it.concurrent('prints come once, in order and without a silent gap while processes and connections die', async () => {
  await expectNoViolation(
    ['kill-writer', 'kill-api', 'cut-upstream', 'cut-clients', 'restart-redis', 'flush-redis'],
    false,
  );
}, 90_000);

it.concurrent('and while slots of a Cluster move and its masters change', async () => {
  await expectNoViolation(['migrate-slots', 'fail-over', 'kill-master'], true);
}, 90_000);
