import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualTimers } from '../../test/manual-time.ts';
import { decodeLogMark, encodeLogMark } from './log-mark.ts';
import { LogOrder } from './log-order.ts';

const at = (offset: number, epoch = '1000000000000-a') => ({ offset, epoch });

function open() {
  const delivered: [string, unknown][] = [];
  const dropped: string[] = [];
  const timers = new ManualTimers();
  const order = new LogOrder(
    (channel, { offset }) => void delivered.push([channel, offset]),
    (channel) => void dropped.push(channel),
    timers,
  );
  return { order, delivered, dropped, timers };
}

describe('entries from several nodes', () => {
  it('are delivered by their offsets, whatever order they came in, and never before the mark', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.nat(50), { maxLength: 30 }),
        fc.array(fc.nat(50), { maxLength: 5 }),
        (offsets, marks) => {
          const { order, delivered } = open();
          for (const offset of offsets) order.add('channel', at(offset));
          let highest = -1;
          for (const mark of marks) {
            order.release(mark);
            highest = Math.max(highest, mark);
            const due = offsets.filter((offset) => offset <= highest).toSorted((a, b) => a - b);
            expect(delivered.map(([, offset]) => offset)).toEqual(due);
            expect(order.held).toBe(offsets.length - due.length);
          }
          order.close();
        },
      ),
      { numRuns: 100 },
    );
  });

  it('are delivered after some seconds where no mark comes, each after its own', () => {
    const { order, delivered, timers } = open();
    order.add('a', at(2));
    order.add('b', at(1));
    timers.advance(3_000);
    order.add('c', at(3));
    timers.advance(3_000);
    expect(delivered).toEqual([
      ['b', 1],
      ['a', 2],
    ]);
    timers.advance(3_000);
    expect(delivered.at(-1)).toEqual(['c', 3]);
    expect(timers.delays).toEqual([]);
  });

  it('are left to the history where their channel was interrupted', () => {
    const { order, delivered } = open();
    order.add('a', at(1));
    order.add('b', at(2));
    order.discard(['a', 'none']);
    order.release(9);
    expect(delivered).toEqual([['b', 2]]);
  });

  it('are dropped where a later epoch has begun', () => {
    const { order, delivered } = open();
    order.add('a', at(1));
    order.add('b', at(2, '1000000000001-b'));
    order.add('c', at(3, 'a name without a time'));
    order.discardBefore('1000000000001-b');
    order.release(9);
    expect(delivered).toEqual([
      ['b', 2],
      ['c', 3],
    ]);
  });

  it('are dropped beyond a bound, which is told for each', () => {
    const { order, dropped, timers } = open();
    for (let offset = 0; offset < 100_002; offset++) order.add('a', at(offset));
    expect(order.held).toBe(100_000);
    expect(dropped).toEqual(['a', 'a']);
    order.close();
    expect(timers.delays).toEqual([]);
  });
});

describe('a mark', () => {
  it('is read as it was written, and nothing else is', () => {
    const mark = { offset: 7, places: [[3, '127.0.0.1:7001', 'moved'] as const] };
    expect(decodeLogMark(encodeLogMark(mark))).toEqual(mark);
    for (const text of ['', 'null', '7', '{"offset":"7","places":[]}', '{"offset":7}']) {
      expect(decodeLogMark(text)).toBeNull();
    }
  });
});
