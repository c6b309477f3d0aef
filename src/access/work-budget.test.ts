import { describe, expect, it } from 'vitest';
import { WORK_LIMITS, WorkBudget } from './work-budget.ts';

const { connection, account, pace, all } = WORK_LIMITS;
/** Where the pace is not what a test is about. */
const UNPACED = { ...WORK_LIMITS, pace: { burstMs: 1e9, msPerSecond: 1e9 } };

function createBudget(limits = UNPACED) {
  let now = 1_000_000;
  const budget = new WorkBudget({ limits, now: () => now });
  return { budget, pass: (ms: number) => void (now += ms) };
}

describe('a budget of CPU time', () => {
  it('lets a connection do as much at once as it may, and then as much a second', () => {
    const { budget, pass } = createBudget();
    const one = budget.openConnection('address 192.0.2.1');
    one.charge(connection.burstMs);
    expect(one.waitMs).toBe(0);
    one.charge(connection.msPerSecond);
    expect(one.waitMs).toBe(1000);
    pass(400);
    expect(one.waitMs).toBeCloseTo(600);
    pass(600);
    expect(one.waitMs).toBe(0);
  });

  it('counts nothing of what is below the rate', () => {
    const { budget, pass } = createBudget();
    const one = budget.openConnection('address 192.0.2.1');
    for (let second = 0; second < 10_000; second++) {
      one.charge(connection.msPerSecond);
      pass(1000);
    }
    expect(one.waitMs).toBe(0);
    expect(one.isRested).toBe(true);
  });

  it('does not hold back the other connections of an address for one that does too much', () => {
    const { budget } = createBudget();
    const [busy, other] = [budget.openConnection('address 192.0.2.1'), budget.openConnection('address 192.0.2.1')];
    busy.charge(connection.burstMs + 1);
    expect(busy.waitMs).toBeGreaterThan(0);
    expect(other.waitMs).toBe(0);
  });

  it('counts all connections and requests of an account together, and those of no other one', () => {
    const { budget } = createBudget();
    for (let number = 0; number < account.burstMs / connection.burstMs; number++) {
      budget.openConnection('address 192.0.2.1').charge(connection.burstMs);
    }
    budget.openRequest('address 192.0.2.1').charge(1);
    expect(budget.openConnection('address 192.0.2.1').waitMs).toBe((1 / account.msPerSecond) * 1000);
    expect(budget.openRequest('address 192.0.2.1').waitMs).toBeGreaterThan(0);
    expect(budget.openRequest('address 192.0.2.2').waitMs).toBe(0);
    expect(budget.openRequest('user 192.0.2.1').waitMs).toBe(0);
  });

  it('counts for the user as soon as the connection is known to be his', () => {
    const { budget } = createBudget();
    budget.openRequest('address 192.0.2.1').charge(account.burstMs + 1);
    const one = budget.openConnection('address 192.0.2.1');
    expect(one.waitMs).toBeGreaterThan(0);
    one.account = 'user alice';
    expect(one.waitMs).toBe(0);
  });

  it('makes only those wait, where all together do too much, who have done more than a little', () => {
    const { budget, pass } = createBudget();
    const attackers = Array.from({ length: 20 }, (_, number) => budget.openRequest(`address 192.0.2.${number}`));
    const modest = budget.openRequest('address 198.51.100.1');
    modest.charge(account.burstMs / 20);
    for (const attacker of attackers) attacker.charge(all.burstMs / 20);
    expect(attackers[0]!.waitMs).toBeGreaterThan(0);
    expect(modest.waitMs).toBe(0);
    expect(budget.openRequest('address 198.51.100.2').waitMs).toBe(0);
    pass((modestMs() / all.msPerSecond) * 1000);
    expect(attackers[0]!.waitMs).toBe(0);
  });

  const modestMs = (): number => account.burstMs / 20;

  it('has an account use what it may do at once not faster than its pace', () => {
    const { budget, pass } = createBudget(WORK_LIMITS);
    const one = budget.openConnection('address 192.0.2.1');
    one.charge(pace.burstMs);
    expect(one.waitMs).toBe(0);
    one.charge(10);
    expect(one.waitMs).toBe((10 / pace.msPerSecond) * 1000);
    pass(one.waitMs);
    expect(one.waitMs).toBe(0);
  });

  it('says how much was done, who had to wait, and who was refused', () => {
    const { budget } = createBudget();
    budget.openRequest('address 192.0.2.1').charge(3);
    budget.noteSlowed('sse');
    budget.noteRefused('websocket');
    expect(budget.readStats()).toEqual({
      workedMs: 3,
      slowed: { websocket: 0, sse: 1, http: 0 },
      refused: { websocket: 1, sse: 0, http: 0 },
      accounts: 1,
    });
  });
});
