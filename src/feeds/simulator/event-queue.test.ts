import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EventQueue } from './event-queue.ts';

test('the earliest comes first, whatever the order of scheduling', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ noNaN: true, noDefaultInfinity: true })), (times) => {
      const queue = new EventQueue(1_000);
      times.forEach((time, index) => queue.push(time, index));
      const popped: number[] = [];
      while (queue.nextTime !== Infinity) {
        const time = queue.nextTime;
        expect(times[queue.pop()]).toBe(time);
        popped.push(time);
      }
      expect(popped).toEqual(times.toSorted((one, other) => one - other));
    }),
  );
});

test('beyond its capacity nothing more is scheduled', () => {
  const queue = new EventQueue(2);
  for (const time of [3, 2, 1]) queue.push(time, time);
  expect([queue.pop(), queue.pop(), queue.nextTime]).toEqual([2, 3, Infinity]);
  queue.push(5, 5);
  queue.clear();
  expect(queue.nextTime).toBe(Infinity);
});
