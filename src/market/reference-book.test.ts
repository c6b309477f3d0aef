import { expect, test, vi } from 'vitest';
import { letRun, ManualTimers } from '../../test/manual-time.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import type { Condition } from './conditions.ts';
import { ReferenceBook, type ReferenceSource } from './reference-book.ts';
import { SourceUnavailableError } from './source.ts';

const rules = { last: false, highLow: false, volume: true };
const overnight: Condition = {
  id: 90,
  name: 'Overnight',
  cta: null,
  utp: null,
  consolidated: rules,
  marketCenter: rules,
  legacy: false,
};

test('what the upstream publishes comes over the built-in tables', () => {
  const book = new ReferenceBook();
  book.update(
    [overnight],
    [
      { id: 23, mic: 'XNEW', name: 'New Exchange', participant: null },
      { id: 4, mic: 'FINY', name: 'one of four that share the id', participant: 'D' },
    ],
  );
  expect(book.conditions.nameOf(90)).toBe('Overnight');
  expect(book.conditions.judge([90])).toEqual(rules);
  expect(book.conditions.nameOf(37)).toBe('Odd Lot Trade');
  expect(book.exchangeOf(23).name).toBe('New Exchange');
  expect(book.exchangeOf(4).mic).toBeNull();
  expect(book.exchangeOf(99).name).toBe('Exchange 99');
});

test('is read at once, again after a minute where that failed, and then once a day, until it is stopped', async () => {
  const book = new ReferenceBook();
  const timers = new ManualTimers();
  const { logger } = recordingLogger();
  const readConditions = vi.fn<ReferenceSource['readConditions']>(async () => [overnight]);
  readConditions.mockRejectedValueOnce(new SourceUnavailableError('away'));
  const stop = book.keepCurrent({ readConditions, readExchanges: async () => [] }, timers, logger);
  await letRun();
  expect(book.conditions.find(90)).toBeUndefined();
  expect(timers.delays).toEqual([60_000]);
  timers.advance(60_000);
  await letRun();
  expect(book.conditions.find(90)).toEqual(overnight);
  expect(timers.delays).toEqual([24 * 60 * 60 * 1000]);
  stop();
  expect(timers.delays).toEqual([]);
});
