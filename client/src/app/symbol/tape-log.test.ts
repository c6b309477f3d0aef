import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Print, TapeLog } from './tape-log.ts';

/** A print whose time follows its id: `id` 7 comes after 6, whatever their numbers. */
function print(sequence: number, fields: Partial<Print> = {}): Print {
  return {
    id: `id ${sequence}`,
    symbol: 'AAPL',
    price: 100,
    size: 100,
    notional: 10_000,
    exchange: { mic: 'XNAS', name: 'Nasdaq' },
    conditions: [],
    offExchange: false,
    sequence,
    gapBefore: false,
    timestamp: `2026-11-20T14:30:${String(30 + (sequence % 30)).padStart(2, '0')}.000Z`,
    cursor: `c${sequence}`,
    ...fields,
  };
}

const prints = (first: number, last: number): Print[] =>
  Array.from({ length: last - first + 1 }, (_, index) => print(first + index));

/** Oldest first: a sequence for a print, a word for a hole. */
function read(log: TapeLog): (number | string)[] {
  return Array.from({ length: log.end - log.first }, (_, index) => {
    const row = log.rowAt(log.first + index)!;
    if (row.kind === 'print') return row.print.sequence;
    return row.missing === null ? row.cause : `${row.cause} ${row.missing}`;
  });
}

describe('the tape', () => {
  it('has each print once, in order', () => {
    const log = new TapeLog();
    log.join(prints(1, 4));
    for (const sequence of [3, 4, 5, 6, 6]) log.add(print(sequence));
    expect(read(log)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(log.printsSeen).toBe(2);
    expect(log.newest?.sequence).toBe(6);
  });

  it('says which way the price went', () => {
    const log = new TapeLog();
    log.join([print(1), print(2, { price: 101 }), print(3, { price: 101 }), print(4, { price: 99 })]);
    const rows = [0, 1, 2, 3].map((index) => log.rowAt(index));
    expect(rows).toMatchObject([{ tick: 'same' }, { tick: 'up' }, { tick: 'same' }, { tick: 'down' }]);
  });

  it('says where prints are missing, how many and why', () => {
    const log = new TapeLog();
    log.join([print(1)]);
    // The past may have what this reader missed, and has nothing of what the upstream did not send.
    expect(log.add(print(4))).toBe(true);
    expect(log.add(print(5, { gapBefore: true }))).toBe(false);
    expect(log.add(print(9), true)).toBe(true);
    expect(log.add(print(11, { gapBefore: true }))).toBe(false);
    expect(read(log)).toEqual([1, 'missed 2', 4, 'upstream', 5, 'expired 3', 9, 'upstream 1', 11]);
  });

  it('a hole that the server told of, and that was none, is not shown', () => {
    const log = new TapeLog();
    log.join([print(1)]);
    expect(log.add(print(2), true)).toBe(false);
    expect(read(log)).toEqual([1, 2]);
  });

  it('fills a hole with what comes late, or is read again', () => {
    const log = new TapeLog();
    log.join([print(1)]);
    log.add(print(8));
    const { generation } = log;
    log.add(print(3));
    expect(read(log)).toEqual([1, 'missed 1', 3, 'missed 4', 8]);
    log.join(prints(2, 9));
    expect(read(log)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(log.generation).toBeGreaterThan(generation);
  });

  it('begins anew where the log did: after a word of the server, or by itself', () => {
    const log = new TapeLog();
    log.join(prints(1, 3));
    log.add(print(1, { id: 'another 1' }), true);
    log.add(print(2, { id: 'another 2' }));
    expect(read(log)).toEqual([1, 2, 3, 'expired', 1, 2]);

    log.add(print(1, { id: 'a third 1' }));
    expect(read(log).slice(-2)).toEqual(['expired', 1]);
    log.add(print(0, { id: 'later', timestamp: '2026-11-20T15:00:00.000Z' }));
    expect(read(log).slice(-2)).toEqual(['expired', 0]);
  });

  it('what was read before the log ran gets the numbers that lead up to it, when it is read again', () => {
    const log = new TapeLog();
    log.join([print(-1, { id: 'a' }), print(0, { id: 'b' })]);
    expect(log.add(print(1, { id: 'd' }))).toBe(true);
    // Nothing is known to be missing yet.
    expect(read(log)).toEqual([-1, 0, 1]);
    log.join([print(-2, { id: 'a' }), print(-1, { id: 'b' }), print(0, { id: 'c' }), print(1, { id: 'd' })]);
    expect(read(log)).toEqual([-2, -1, 0, 1]);
    expect(log.add(print(2))).toBe(false);
    expect(log.rowAt(log.end - 3)).toMatchObject({ print: { id: 'c' } });
  });

  it('a log that had stood still does not take its old prints for the newest', () => {
    const log = new TapeLog();
    log.join([print(-1, { id: 'today a' }), print(0, { id: 'today b' })]);
    log.add(print(57));
    log.join([...prints(55, 57)]);
    expect(read(log)).toEqual([-1, 0, 'joined', 57]);
    log.add(print(58));
    expect(read(log)).toEqual([-1, 0, 'joined', 57, 58]);
  });

  it('where there was no past, it is read again when the first print is not the first of its log', () => {
    const log = new TapeLog();
    log.join([]);
    expect(log.add(print(1))).toBe(false);

    const late = new TapeLog();
    late.join([]);
    expect(late.add(print(3))).toBe(true);
    late.join(prints(1, 3));
    expect(read(late)).toEqual([1, 2, 3]);
  });

  it('where the past cannot be read again, it says so at the joint', () => {
    const log = new TapeLog();
    log.join([print(0)]);
    log.add(print(57));
    expect(read(log)).toEqual([0, 57]);
    log.settle();
    expect(read(log)).toEqual([0, 'joined', 57]);
    log.settle();
    expect(log.generation).toBe(2);
  });

  it('is a ring, in which a row keeps its index', () => {
    const log = new TapeLog(100);
    for (const each of prints(1, 90)) log.add(each);
    log.add(print(95));
    const row = log.rowAt(80);
    for (const each of prints(96, 150)) log.add(each);
    expect(log.rowAt(80)).toBe(row);
    expect(log.end - log.first).toBeLessThanOrEqual(121);
    expect(read(log)[0]).toBe(43);
    expect(log.rowAt(log.first - 1)).toBeNull();
    for (const each of prints(151, 1000)) log.add(each);
    expect(read(log)).toHaveLength(log.end - log.first);
    expect(read(log).at(-1)).toBe(1000);
    expect(log.end).toBe(997);
  });

  it('whatever comes in whatever order, shows each print once and every hole', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 }),
        fc.integer({ min: 1, max: 40 }),
        (sequences, past) => {
          const log = new TapeLog();
          log.join(prints(1, past));
          // One time for all: none of them says by it that the log began anew.
          for (const sequence of sequences) log.add(print(sequence, { timestamp: print(1).timestamp }));
          const wanted = [...new Set([...sequences, ...prints(1, past).map((each) => each.sequence)])].toSorted(
            (a, b) => a - b,
          );
          const expected = wanted.flatMap((sequence, index) => {
            const missing = sequence - (wanted[index - 1] ?? sequence - 1) - 1;
            return missing > 0 ? [`missed ${missing}`, sequence] : [sequence];
          });
          expect(read(log)).toEqual(expected);
        },
      ),
    );
  });
});
