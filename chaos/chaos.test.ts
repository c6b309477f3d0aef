import { expect, it } from 'vitest';
import { type ChaosOptions, runChaos } from './run.ts';

// The short form of `npm run chaos`: fewer prints, some of the faults, the same checker.

async function expectNoViolation(
  faults: ChaosOptions['faults'],
  { ingestCount = 1, isCluster = false }: Partial<Pick<ChaosOptions, 'ingestCount' | 'isCluster'>> = {},
): Promise<void> {
  const log: string[] = [];
  const { verdicts, rounds, complaints } = await runChaos({
    rounds: faults.length,
    seed: 7,
    faults,
    rate: 300,
    symbolCount: 8,
    clientCount: 8,
    ingestCount,
    apiCount: 2,
    isCluster,
    patienceMs: 90_000,
    log: (line) => log.push(line),
  });
  const { trades, bars } = verdicts;
  expect([...trades.examples, ...bars.examples], [...log, ...complaints.slice(-20)].join('\n')).toEqual([]);
  expect(rounds.map(({ fault }) => fault).toSorted()).toEqual(faults.toSorted());
  expect(trades.compared).toBeGreaterThan(500);
  expect(bars.compared).toBeGreaterThan(20);
}

// Each has a system of its own. They mostly wait, so that together they take hardly longer than the longest.

/** Each is many waits, one after the other, with a deadline for each of them: all together may take long on a slow machine. */
const TIMEOUT_MS = 600_000;

it.concurrent(
  'prints and bars come once, in order and without a silent gap while processes die',
  async () => {
    await expectNoViolation(['kill-writer', 'kill-api', 'flush-redis'], { ingestCount: 2 });
  },
  TIMEOUT_MS,
);

it.concurrent(
  'and while connections are cut and Redis is restarted',
  async () => {
    await expectNoViolation(['cut-upstream', 'cut-clients', 'restart-redis', 'stop-api']);
  },
  TIMEOUT_MS,
);

it.concurrent(
  'and while slots of a Cluster move and its masters change',
  async () => {
    await expectNoViolation(['migrate-slots', 'fail-over', 'pause', 'kill-master'], { isCluster: true });
  },
  TIMEOUT_MS,
);
