import { beforeEach, describe, expect, it } from 'vitest';
import { Checker, type ReceivedEntry, type TapedEntry } from './checker.ts';

const asTaped = (ids: readonly string[]): TapedEntry[] => ids.map((id) => ({ id, content: `what ${id} says` }));

let checker: Checker;
const judge = (): string[] => {
  checker.compare();
  return checker.verdict.examples.map(({ kind }) => kind);
};

const listLagging = (): object => Object.fromEntries(checker.listLagging());

/** What is found whether entries are numbered, as prints are, or not, as bars are. */
describe.each([
  ['prints', true],
  ['bars', false],
])('Checker, of %s', (_kind, isNumbered) => {
  beforeEach(() => {
    checker = new Checker();
    checker.openStream('one', ['AAPL', 'MSFT']);
    checker.recordTape('AAPL', asTaped(['a', 'b', 'c', 'd', 'e']));
  });

  const record = (id: string, sequence: number, rest: Partial<ReceivedEntry> = {}): void =>
    checker.record('one', {
      symbol: 'AAPL',
      id,
      sequence: isNumbered ? sequence : null,
      gapBefore: false,
      content: `what ${id} says`,
      ...rest,
    });

  it('is content with a stream that joined late and then got every entry of the tape once, in order', () => {
    record('b', 7);
    record('c', 8);
    expect(judge()).toEqual([]);
    expect(listLagging()).toEqual({ one: 2 });
    expect(checker.describeLag()).toEqual(['one AAPL: at 2 of 4']);
    record('d', 9);
    record('e', 10);
    expect(listLagging()).toEqual({});
    expect(judge()).toEqual([]);
    expect(listLagging()).toEqual({});
    checker.expectNothingMissed('nothing');
    expect(checker.verdict).toMatchObject({ received: 4, compared: 4, taped: 5, gapsTold: 0, violations: 0 });
  });

  it('finds a silent gap: a hole on the tape that nobody told, whatever the numbers say', () => {
    record('a', 1);
    record('d', 2);
    expect(judge()).toEqual(['silent gap']);
    expect(checker.verdict.examples[0]!.detail).toContain('2 entries');
  });

  it('takes a hole that the next entry tells, and counts what was missed', () => {
    record('a', 1);
    record('d', 2, { gapBefore: true });
    record('e', 3);
    expect(judge()).toEqual([]);
    expect(checker.verdict).toMatchObject({ gapsTold: 1, missedTold: 2, emptyGapsTold: 0 });
  });

  it('takes a gap that is told where nothing is missing, and counts it', () => {
    record('a', 1);
    record('b', 2, { gapBefore: true });
    checker.compare();
    checker.expectNothingMissed('nothing');
    expect(checker.verdict).toMatchObject({ gapsTold: 1, missedTold: 0, emptyGapsTold: 1, violations: 0 });
  });

  it('finds a needless gap: one that was told in a round in which nothing need have been lost', () => {
    checker.beginRound();
    record('a', 1);
    record('c', 2, { gapBefore: true });
    expect(judge()).toEqual([]);
    expect(checker.missedInRound).toBe(1);
    checker.expectNothingMissed('a restart');
    expect(judge()).toEqual(['needless gap']);
    expect(checker.verdict.examples[0]!.detail).toBe('1 entries told as missed in a restart');
  });

  it('counts a gap in the round in which it was told, whenever the next entry comes', () => {
    record('a', 1);
    checker.tellLoss('one');
    checker.beginRound();
    record('c', 1);
    checker.compare();
    checker.expectNothingMissed('the round after');
    expect(checker.verdict).toMatchObject({ missedTold: 1, violations: 0 });
  });

  it('takes one hole after a loss that was told for the stream, not the next', () => {
    record('a', 5);
    checker.tellLoss('one');
    record('c', 1);
    expect(judge()).toEqual([]);
    record('e', 2);
    expect(judge()).toEqual(['silent gap']);
  });

  it('finds an entry that comes twice, also after a loss that was told', () => {
    record('a', 1);
    record('a', 2);
    checker.tellLoss('one');
    record('a', 1);
    expect(judge()).toEqual(['duplicate', 'duplicate']);
  });

  it('finds an entry that comes again when it is no longer remembered as received', () => {
    record('a', 1);
    record('b', 2);
    checker.compare();
    checker.beginRound();
    checker.beginRound();
    checker.tellLoss('one');
    record('a', 3);
    record('c', 4);
    expect(judge()).toEqual(['not on the tape']);
  });

  it('finds an older entry after a newer one by its place, and what it left out', () => {
    record('a', 1);
    record('c', 2);
    record('b', 3);
    expect(judge()).toEqual(['silent gap', 'out of order']);
  });

  it('finds an entry that the tape does not have, once a later one shows that the tape is past it', () => {
    record('a', 1);
    record('x', 2);
    expect(judge()).toEqual([]);
    record('b', 3);
    expect(judge()).toEqual(['not on the tape']);
  });

  it('finds an entry that says something else than on the tape', () => {
    record('a', 1);
    record('b', 2, { content: 'half of it' });
    expect(judge()).toEqual(['altered']);
  });

  it('waits with an entry that came after the last look at the tape', () => {
    record('e', 1);
    record('f', 2);
    expect(judge()).toEqual([]);
    expect(listLagging()).toEqual({});
    checker.recordTape('AAPL', asTaped(['f']));
    expect(judge()).toEqual([]);
    expect(listLagging()).toEqual({});
    expect(checker.verdict).toMatchObject({ compared: 2, violations: 0 });
  });

  it('holds a stream to what the tape had when it was last compared, not to what came on it since', () => {
    record('e', 1);
    checker.compare();
    checker.recordTape('AAPL', asTaped(['f', 'g']));
    expect(listLagging()).toEqual({});
    checker.compare();
    expect(listLagging()).toEqual({ one: 1 });
    record('f', 2);
    expect(listLagging()).toEqual({ one: 2 });
    record('g', 3);
    expect(listLagging()).toEqual({});
  });

  it('finds a symbol that was never asked for', () => {
    record('a', 1, { symbol: 'TSLA' });
    expect(judge()).toEqual(['protocol']);
  });
});

describe('Checker, of prints', () => {
  const record = (id: string, sequence: number): void =>
    checker.record('one', { symbol: 'AAPL', id, sequence, gapBefore: false, content: `what ${id} says` });
  beforeEach(() => {
    checker = new Checker();
    checker.openStream('one', ['AAPL']);
    checker.recordTape('AAPL', asTaped(['a', 'b', 'c']));
  });

  it('finds a hole in the numbers that nobody told, before it knows the tape', () => {
    record('a', 1);
    record('b', 3);
    expect(checker.verdict.examples.map(({ kind }) => kind)).toEqual(['silent gap']);
    expect(judge()).toEqual(['silent gap']);
  });

  it('finds a number that goes back', () => {
    record('a', 2);
    record('b', 1);
    expect(checker.verdict.examples.map(({ kind }) => kind)).toEqual(['out of order']);
  });
});
