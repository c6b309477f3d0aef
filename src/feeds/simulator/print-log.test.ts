import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PrintLog } from './print-log.ts';

function printOf(sequence: number) {
  return {
    time: 1_000 + sequence,
    nanos: 1_000,
    participantTime: 999 + sequence,
    trfTime: 0,
    trf: 202,
    price: sequence / 100,
    micros: 5,
    exchange: 4,
    conditionSet: 3,
    sequence,
    id: `id-${sequence}`,
  };
}

test('each symbol is read newest first, as far back as the whole log goes', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 300 }),
      fc.integer({ min: 1, max: 100 }),
      (symbols, capacity) => {
        const log = new PrintLog(5, capacity);
        symbols.forEach((symbol, sequence) => log.append(symbol, printOf(sequence)));
        for (let symbol = 0; symbol < 5; symbol += 1) {
          const expected = symbols
            .map((of, sequence) => ({ of, sequence }))
            .filter(({ of, sequence }) => of === symbol && sequence >= symbols.length - capacity)
            .map(({ sequence }) => ({ number: sequence, ...printOf(sequence) }))
            .reverse();
          expect([...log.readBackwards(symbol)]).toEqual(expected);
        }
      },
    ),
  );
});

test('it grows up to its capacity without losing a print', () => {
  const log = new PrintLog(1, 10_000);
  for (let sequence = 0; sequence < 12_000; sequence += 1) log.append(0, printOf(sequence));
  const kept = [...log.readBackwards(0)].map(({ sequence }) => sequence);
  expect(kept).toHaveLength(10_000);
  expect([kept[0], kept.at(-1)]).toEqual([11_999, 2_000]);
});
