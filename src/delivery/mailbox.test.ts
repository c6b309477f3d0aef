import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { StateMailbox } from './mailbox.ts';
import { TimerWheel } from './timer-wheel.ts';

/** A wheel that turns by hand: `advance` moves the clock and wakes what is due. */
function createManualWheel() {
  let time = 0;
  let due: { at: number; wake: () => void }[] = [];
  return {
    now: () => time,
    wheel: {
      schedule(delayMs: number, wake: () => void) {
        const entry = { at: time + delayMs, wake };
        due.push(entry);
        return () => void (due = due.filter((other) => other !== entry));
      },
    } as TimerWheel,
    advance(ms: number) {
      time += ms;
      const ready = due.filter(({ at }) => at <= time);
      due = due.filter(({ at }) => at > time);
      for (const { wake } of ready) wake();
    },
  };
}

function createState<T>(minIntervalMs = 0) {
  const manual = createManualWheel();
  let ends = 0;
  const mailbox = new StateMailbox<T>({ ...manual, minIntervalMs, onEnd: () => ends++ });
  return { ...manual, mailbox, ends: () => ends };
}

/** What a reader gets without waiting. */
async function readWaiting<T>(mailbox: { readonly depth: number; next(): Promise<IteratorResult<T>> }): Promise<T[]> {
  const values: T[] = [];
  while (mailbox.depth > 0) values.push((await mailbox.next()).value);
  return values;
}

describe('a mailbox for state', () => {
  test('keeps the newest value of each key, in the order in which the keys first changed', async () => {
    const { mailbox } = createState<string>();
    mailbox.put('A', 'a1');
    mailbox.put('B', 'b1');
    mailbox.put('A', 'a2');
    expect(mailbox.depth).toBe(2);
    expect(mailbox.conflated).toBe(1);
    expect(await readWaiting(mailbox)).toEqual(['a2', 'b1']);
  });

  test('hands a value over at once to a reader that waits', async () => {
    const { mailbox } = createState<string>();
    const next = mailbox.next();
    mailbox.put('A', 'a1');
    expect(await next).toEqual({ done: false, value: 'a1' });
  });

  test('with a rate: the first at once, then the newest once the interval has passed', async () => {
    const { mailbox, advance } = createState<string>(100);
    mailbox.put('A', 'a1');
    expect((await mailbox.next()).value).toBe('a1');
    const next = mailbox.next();
    mailbox.put('A', 'a2');
    advance(50);
    mailbox.put('A', 'a3');
    advance(49);
    expect(mailbox.depth).toBe(1);
    advance(1);
    expect((await next).value).toBe('a3');
  });

  test('a rate holds per key: one key does not wait for another', async () => {
    const { mailbox } = createState<string>(100);
    mailbox.put('A', 'a1');
    expect((await mailbox.next()).value).toBe('a1');
    mailbox.put('B', 'b1');
    expect((await mailbox.next()).value).toBe('b1');
  });

  test('for any sequence of writes, reads and waits: never more often than the rate, newest only, and the last always arrives', async () => {
    const step = fc.oneof(
      fc.record({ put: fc.constantFrom('A', 'B', 'C') }),
      fc.record({ advance: fc.integer({ min: 1, max: 80 }) }),
      fc.constant({ read: true }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.constantFrom(0, 50), async (steps, intervalMs) => {
        const { mailbox, advance, now } = createState<{ key: string; n: number }>(intervalMs);
        const newest = new Map<string, number>();
        const readAt = new Map<string, number>();
        const seen = new Map<string, number>();
        let n = 0;
        let waiting: Promise<void> | null = null;
        const take = ({ done, value }: IteratorResult<{ key: string; n: number }>): void => {
          if (done === true) return;
          expect(value.n).toBeGreaterThan(seen.get(value.key) ?? 0);
          expect(value.n).toBe(newest.get(value.key));
          expect(now() - (readAt.get(value.key) ?? Number.NEGATIVE_INFINITY)).toBeGreaterThanOrEqual(intervalMs);
          seen.set(value.key, value.n);
          readAt.set(value.key, now());
        };
        const read = async (): Promise<void> => {
          waiting ??= mailbox.next().then((result) => {
            waiting = null;
            take(result);
          });
          await Promise.resolve();
          await Promise.resolve();
        };
        for (const action of steps) {
          if ('put' in action) {
            newest.set(action.put, ++n);
            mailbox.put(action.put, { key: action.put, n });
            await Promise.resolve();
            await Promise.resolve();
          } else if ('advance' in action) {
            advance(action.advance);
            await Promise.resolve();
            await Promise.resolve();
          } else await read();
        }
        for (let round = 0; round < 10 && mailbox.depth > 0; round++) {
          await read();
          advance(intervalMs);
        }
        await Promise.resolve();
        await Promise.resolve();
        expect(Object.fromEntries(seen)).toEqual(Object.fromEntries(newest));
        await mailbox.return();
      }),
    );
  });

  test('ends once: a waiting reader is released, what waits is dropped, later writes are ignored', async () => {
    const { mailbox, ends } = createState<string>();
    const next = mailbox.next();
    await mailbox.return();
    await mailbox.return();
    mailbox.put('A', 'a1');
    expect(await next).toEqual({ done: true, value: undefined });
    expect(await mailbox.next()).toEqual({ done: true, value: undefined });
    expect(mailbox.depth).toBe(0);
    expect(ends()).toBe(1);
  });

  test('is a for-await source that a break ends', async () => {
    const { mailbox, ends } = createState<string>();
    mailbox.put('A', 'a1');
    for await (const value of mailbox) {
      expect(value).toBe('a1');
      break;
    }
    expect(ends()).toBe(1);
  });

  test('throw() ends it and passes the error on', async () => {
    const { mailbox, ends } = createState<string>();
    await expect(mailbox.throw(new Error('boom'))).rejects.toThrow('boom');
    expect(ends()).toBe(1);
  });

  test('a second reader at the same time is refused, for it would wait for ever', async () => {
    const { mailbox } = createState<string>();
    const first = mailbox.next();
    await expect(mailbox.next()).rejects.toThrow('one reader');
    await mailbox.return();
    await first;
  });
});

describe('a timer wheel', () => {
  test('keeps few slots for any number of waits, and is late by no more than a small part of each', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3_600_000 }), (delayMs) => {
        vi.useFakeTimers();
        const wheel = new TimerWheel({ resolutionMs: 5, now: Date.now });
        const startedAt = Date.now();
        let wokenAfterMs = 0;
        wheel.schedule(delayMs, () => (wokenAfterMs = Date.now() - startedAt));
        vi.runAllTimers();
        vi.useRealTimers();
        expect(wokenAfterMs).toBeGreaterThanOrEqual(delayMs);
        expect(wokenAfterMs).toBeLessThanOrEqual(delayMs + 6 + delayMs / 64);
      }),
    );
    const wheel = new TimerWheel();
    const cancels = Array.from({ length: 100_000 }, (_, index) => wheel.schedule(1 + index * 10, () => undefined));
    expect(wheel.slots).toBeLessThan(2500);
    for (const cancel of cancels) cancel();
  });

  test('wakes each at its time, never earlier, over one timer; a cancelled one stays asleep', async () => {
    const wheel = new TimerWheel({ resolutionMs: 5 });
    const startedAt = performance.now();
    const woken: { delayMs: number; afterMs: number }[] = [];
    const cancel = wheel.schedule(10, () => woken.push({ delayMs: -1, afterMs: 0 }));
    cancel();
    await new Promise<void>((resolve) => {
      for (const delayMs of [30, 10, 20, 1]) {
        wheel.schedule(delayMs, () => {
          woken.push({ delayMs, afterMs: performance.now() - startedAt });
          if (woken.length === 4) resolve();
        });
      }
    });
    expect(woken.map(({ delayMs }) => delayMs)).toEqual([1, 10, 20, 30]);
    for (const { delayMs, afterMs } of woken) expect(afterMs).toBeGreaterThanOrEqual(delayMs);
  });
});
