import { describe, expect, it } from 'vitest';
import { AccountTrail, type ToldExecution } from './account-trail.ts';

const buy = (orderId: string, quantity: string, price: string): ToldExecution => ({
  ...{ orderId, quantity, price, side: 'BUY' },
});

describe('the trail of an account', () => {
  it('knows by the cash which executions a portfolio holds, whichever came first', () => {
    const trail = new AccountTrail();
    trail.noteCash('1000.00', 0);
    trail.noteExecution(buy('a', '2', '100.10'), 10);
    trail.noteCash('1000.00', 12);
    trail.noteCash('799.80', 15);
    // The portfolio holds two executions more, of which the user is told afterwards.
    trail.noteCash('849.8500', 30);
    trail.noteExecution(buy('b', '1', '50.05'), 31);
    trail.noteExecution({ ...buy('c', '1', '100.1'), side: 'SELL' }, 32);
    trail.noteExecution(buy('d', '1', '1'), 40);
    expect(trail.read()).toEqual({
      unexplained: 0,
      times: new Map([
        ['a', { notifiedAt: 10, shownAt: 15 }],
        ['b', { notifiedAt: 31, shownAt: 30 }],
        ['c', { notifiedAt: 32, shownAt: 30 }],
        ['d', { notifiedAt: 40, shownAt: null }],
      ]),
    });
  });

  it('tells of cash that no execution explains, and of cash that comes back from the past', () => {
    const trail = new AccountTrail();
    trail.noteCash('100.00', 0);
    trail.noteExecution(buy('a', '1', '10'), 10);
    for (const cash of ['90.00', '89.99', '100.00']) trail.noteCash(cash, 20);
    expect(trail.read().unexplained).toBe(2);
  });

  it('tells nothing where no portfolio came', () => {
    const trail = new AccountTrail();
    trail.noteExecution(buy('a', '1', '10'), 10);
    expect(trail.read().times.get('a')).toEqual({ notifiedAt: 10, shownAt: null });
  });
});
