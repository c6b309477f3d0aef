import { parse } from 'graphql';
import { expect, test } from 'vitest';
import { readLiveDocument } from './live-document.ts';
import { choosePolledOperation } from './polled-choice.ts';
import { Resumption } from './resumption.ts';

const LOG = readLiveDocument(parse('subscription { trades(symbols: ["AAPL"]) { price } }'))!;
const print = (id: number) => ({
  symbol: 'AAPL',
  id: String(id),
  timestamp: `2026-11-20T15:00:00.00${id}Z`,
  cursor: `c${id}`,
});
const event = (id: number) => ({ data: { trades: print(id) }, extensions: { cursor: `c${id}` } });

test('what queries had is not had again from the log, until the log goes on somewhere else', () => {
  const polled = choosePolledOperation(LOG, {})!;
  const resumption = new Resumption(LOG, {}, polled);
  expect(resumption.accept(event(1))).toEqual(event(1));
  expect(polled.readRound([{ polled0: [print(1), print(2)] }]).entries).toHaveLength(1);
  expect(resumption.accept(event(2))).toBeNull();
  // It is had all the same: the log goes on after it.
  expect(resumption.readRequest().resumeFrom).toBe('c2');

  resumption.decide([{ message: 'gone', extensions: { code: 'HISTORY_EXPIRED', oldestCursor: 'c9' } }] as never);
  expect(resumption.readRequest().resumeFrom).toBeNull();
  expect(resumption.accept(event(2))?.extensions).toEqual({
    cursor: 'c2',
    gap: { after: 'c2', oldestCursor: 'c9' },
  });
});

test('queries that have not said how far they had a log leave a gap where it is resumed', () => {
  const resumption = new Resumption(LOG, {});
  resumption.noteRun();
  resumption.begin();
  expect(resumption.accept(event(5))?.extensions).toMatchObject({ gap: { after: null } });

  const placed = new Resumption(LOG, {});
  placed.noteRun();
  placed.moveTo('c4');
  placed.begin();
  expect(placed.accept(event(5))?.extensions).toEqual({ cursor: 'c5' });
});
