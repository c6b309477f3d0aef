import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ManualTimers } from '../../test/manual-time.ts';
import { StateMailbox } from './mailbox.ts';
import { TimerWheel } from './timer-wheel.ts';

/** A wheel that turns by hand: `advance` moves the clock and wakes what is due. */
function createManualWheel() {
  let time = 0;
  let due: { at: number; wake: () => void }[] = [];
  return {
    now: () => time,
    wheel: {
      now: () => time,
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

describe('a mailbox that hands over to a reader', () => {
  /** Takes as many as it is given room for. */
  class Taker {
    room: number;
    readonly taken: string[] = [];
    ends: (Error | null)[] = [];
    onTake: (value: string) => void = () => undefined;

    constructor(room: number) {
      this.room = room;
    }

    get ready(): boolean {
      return this.room > 0;
    }

    take(value: string): void {
      expect(this.room).toBeGreaterThan(0);
      expect(this.ends).toEqual([]);
      this.room--;
      this.taken.push(value);
      this.onTake(value);
    }

    end(error: Error | null): void {
      this.ends.push(error);
    }
  }

  test('gives it what waits already, and then each value in the call in which it is put', () => {
    const { mailbox } = createState<string>();
    mailbox.put('A', 'a1');
    mailbox.put('B', 'b1');
    const taker = new Taker(10);
    mailbox.attach(taker);
    expect(taker.taken).toEqual(['a1', 'b1']);
    mailbox.put('A', 'a2');
    expect(taker.taken).toEqual(['a1', 'b1', 'a2']);
    expect(mailbox.depth).toBe(0);
  });

  test('keeps the newest of each key while the reader is not ready, and gives it as far as it takes it', () => {
    const { mailbox } = createState<string>();
    const taker = new Taker(1);
    mailbox.attach(taker);
    for (const value of ['a1', 'a2', 'a3']) mailbox.put('A', value);
    mailbox.put('B', 'b1');
    expect(taker.taken).toEqual(['a1']);
    expect([mailbox.depth, mailbox.conflated]).toEqual([2, 1]);
    // Nothing new goes past what waits.
    taker.room = 1;
    mailbox.put('C', 'c1');
    mailbox.pull();
    expect(taker.taken).toEqual(['a1', 'a3']);
    taker.room = 10;
    mailbox.pull();
    expect(taker.taken).toEqual(['a1', 'a3', 'b1', 'c1']);
  });

  test('gives nothing while it is held, and the newest of each key then', () => {
    const { mailbox } = createState<string>();
    const taker = new Taker(10);
    mailbox.attach(taker);
    mailbox.hold();
    mailbox.put('A', 'a1');
    mailbox.put('A', 'a2');
    expect(taker.taken).toEqual([]);
    mailbox.release();
    expect(taker.taken).toEqual(['a2']);
  });

  test('with a rate: the first in the call, later ones when the interval has passed, the last one always', () => {
    const { mailbox, advance } = createState<string>(100);
    const taker = new Taker(10);
    mailbox.attach(taker);
    mailbox.put('A', 'a1');
    expect(taker.taken).toEqual(['a1']);
    mailbox.put('A', 'a2');
    mailbox.put('A', 'a3');
    advance(99);
    expect(taker.taken).toEqual(['a1']);
    advance(1);
    expect(taker.taken).toEqual(['a1', 'a3']);
  });

  test('tells it the end once: none after return, the error after fail, at once where it had ended before', async () => {
    const returned = new Taker(10);
    const first = createState<string>();
    first.mailbox.attach(returned);
    await first.mailbox.return();
    await first.mailbox.return();
    first.mailbox.put('A', 'late');
    expect([returned.ends, returned.taken]).toEqual([[null], []]);

    const failed = new Taker(0);
    const second = createState<string>();
    second.mailbox.attach(failed);
    second.mailbox.put('A', 'dropped');
    const error = new Error('slow');
    second.mailbox.fail(error);
    second.mailbox.fail(new Error('again'));
    expect([failed.ends, failed.taken]).toEqual([[error], []]);

    const late = new Taker(10);
    const third = createState<string>();
    third.mailbox.fail(error);
    third.mailbox.attach(late);
    expect(late.ends).toEqual([error]);
    expect([first.ends(), second.ends(), third.ends()]).toEqual([1, 1, 1]);
  });

  test('a reader that ends it while it takes gets nothing more', () => {
    const { mailbox } = createState<string>();
    for (const key of ['A', 'B', 'C']) mailbox.put(key, key);
    const taker = new Taker(10);
    taker.onTake = (value) => {
      if (value === 'B') void mailbox.return();
    };
    mailbox.attach(taker);
    expect(taker.taken).toEqual(['A', 'B']);
    expect(taker.ends).toEqual([null]);
  });

  test('whatever is put and taken in whatever order: the reader sees of each key a part of its values, in order, and the last', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('put' as const), key: fc.constantFrom('A', 'B', 'C') }),
      fc.record({ kind: fc.constant('room' as const), count: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ kind: fc.constantFrom('hold' as const, 'release' as const) }),
      fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 30 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom(0, 20), (steps, minIntervalMs) => {
        const { mailbox, advance } = createState<string>(minIntervalMs);
        const taker = new Taker(0);
        mailbox.attach(taker);
        const put: string[] = [];
        for (const of of steps) {
          if (of.kind === 'put') {
            put.push(`${of.key}${put.length}`);
            mailbox.put(of.key, put.at(-1)!);
          } else if (of.kind === 'room') {
            taker.room += of.count;
            mailbox.pull();
          } else if (of.kind === 'advance') advance(of.ms);
          else mailbox[of.kind]();
          expect(mailbox.depth).toBeLessThanOrEqual(3);
        }
        taker.room = 1000;
        mailbox.release();
        advance(1000);
        advance(1000);
        expect(mailbox.depth).toBe(0);
        expect(taker.taken.length + mailbox.conflated).toBe(put.length);
        for (const key of ['A', 'B', 'C']) {
          const ofKey = (values: readonly string[]): string[] => values.filter((value) => value.startsWith(key));
          const taken = ofKey(taker.taken);
          expect(taken).toEqual(ofKey(put).filter((value) => taken.includes(value)));
          expect(taken.at(-1)).toBe(ofKey(put).at(-1));
        }
      }),
    );
  });
});

describe('a timer wheel', () => {
  test('keeps few slots for any number of waits, and is late by no more than a small part of each', () => {
    fc.assert(
      fc.property(fc.nat(10_000), fc.integer({ min: 1, max: 3_600_000 }), (startedAt, delayMs) => {
        const timers = new ManualTimers(startedAt);
        const wheel = new TimerWheel({ resolutionMs: 5, timers });
        let wokenAfterMs = 0;
        wheel.schedule(delayMs, () => (wokenAfterMs = timers.now() - startedAt));
        timers.advance(2 * delayMs + 10);
        expect(wokenAfterMs).toBeGreaterThanOrEqual(delayMs);
        expect(wokenAfterMs).toBeLessThanOrEqual(delayMs + 6 + delayMs / 64);
      }),
    );
    const wheel = new TimerWheel({ timers: new ManualTimers() });
    const cancels = Array.from({ length: 100_000 }, (_, index) => wheel.schedule(1 + index * 10, () => undefined));
    expect(wheel.slots).toBeLessThan(2500);
    for (const cancel of cancels) cancel();
  });

  test('wakes each at its time, never earlier, over one timer; a cancelled one stays asleep', () => {
    const timers = new ManualTimers();
    const wheel = new TimerWheel({ resolutionMs: 5, timers });
    const woken: { delayMs: number; afterMs: number }[] = [];
    const cancel = wheel.schedule(10, () => woken.push({ delayMs: -1, afterMs: 0 }));
    cancel();
    for (const delayMs of [30, 10, 20, 1]) {
      wheel.schedule(delayMs, () => woken.push({ delayMs, afterMs: timers.now() }));
    }
    for (let step = 0; step < 40; step++) {
      expect(timers.delays.length).toBeLessThanOrEqual(1);
      timers.advance(1);
    }
    expect(woken).toEqual([
      { delayMs: 1, afterMs: 5 },
      { delayMs: 10, afterMs: 10 },
      { delayMs: 20, afterMs: 20 },
      { delayMs: 30, afterMs: 30 },
    ]);
    expect(timers.delays).toEqual([]);
  });

  test('that was held up wakes all that is due in the order of their times', () => {
    let now = 0;
    const calls: (() => void)[] = [];
    const timers = {
      now: () => now,
      after: (_delayMs: number, callback: () => void) => (calls.push(callback), () => {}),
    };
    const wheel = new TimerWheel({ resolutionMs: 5, timers });
    const woken: number[] = [];
    for (const delayMs of [30, 10, 500, 20]) wheel.schedule(delayMs, () => woken.push(delayMs));
    now = 100;
    calls.at(-1)!();
    expect(woken).toEqual([10, 20, 30]);
  });
});
