import { beforeEach, describe, expect, it } from 'vitest';
import { Checker, type ReceivedPrint } from './checker.ts';

describe('Checker', () => {
  let checker: Checker;
  beforeEach(() => {
    checker = new Checker();
    checker.openStream('one', ['AAPL', 'MSFT']);
    checker.recordTape('AAPL', ['a', 'b', 'c', 'd', 'e']);
  });

  const record = (id: string, sequence: number, rest: Partial<ReceivedPrint> = {}): void =>
    checker.record('one', { symbol: 'AAPL', id, sequence, gapBefore: false, ...rest });
  const judge = (): string[] => {
    checker.compare();
    return checker.verdict.examples.map(({ kind }) => kind);
  };

  it('is content with a stream that joined late and then got every print of the tape once, in order', () => {
    record('b', 7);
    record('c', 8);
    expect(checker.isDrained()).toBe(false);
    expect(judge()).toEqual([]);
    expect(checker.describeLag()).toEqual(['one AAPL: at 2 of 4']);
    record('d', 9);
    record('e', 10);
    expect(checker.isDrained()).toBe(true);
    expect(judge()).toEqual([]);
    expect(checker.isDrained()).toBe(true);
    expect(checker.verdict).toMatchObject({ received: 4, compared: 4, taped: 5, gapsTold: 0, violations: 0 });
  });

  it('finds a hole in the numbers that nobody told', () => {
    record('a', 1);
    record('b', 3);
    expect(judge()).toEqual(['silent gap']);
  });

  it('finds a hole on the tape that the numbers hide', () => {
    record('a', 1);
    record('d', 2);
    expect(judge()).toEqual(['silent gap']);
    expect(checker.verdict.examples[0]!.detail).toContain('2 prints');
  });

  it('takes a hole that the next print tells, and counts what was missed', () => {
    record('a', 1);
    record('d', 2, { gapBefore: true });
    expect(judge()).toEqual([]);
    expect(checker.verdict).toMatchObject({ gapsTold: 1, printsMissedTold: 2 });
  });

  it('takes any number after a loss that was told for the stream, once', () => {
    record('a', 5);
    checker.tellLoss('one');
    record('c', 1);
    expect(judge()).toEqual([]);
    record('e', 2);
    expect(judge()).toEqual(['silent gap']);
  });

  it('finds a print that comes twice, also after a loss that was told', () => {
    record('a', 1);
    record('a', 2);
    checker.tellLoss('one');
    record('a', 1);
    expect(judge()).toEqual(['duplicate', 'duplicate']);
  });

  it('finds an older print after a newer one, by its number and by its place', () => {
    record('a', 2);
    record('c', 3);
    record('b', 2);
    expect(judge()).toEqual(['out of order', 'silent gap', 'out of order']);
  });

  it('finds a print that the tape does not have, once a later one shows that the tape is past it', () => {
    record('a', 1);
    record('x', 2);
    expect(judge()).toEqual([]);
    record('b', 3);
    expect(judge()).toEqual(['not on the tape']);
  });

  it('waits with a print that came after the last look at the tape', () => {
    record('e', 1);
    record('f', 2);
    expect(checker.isDrained()).toBe(true);
    expect(judge()).toEqual([]);
    checker.recordTape('AAPL', ['f']);
    expect(checker.isDrained()).toBe(true);
    expect(judge()).toEqual([]);
    expect(checker.verdict).toMatchObject({ compared: 2, violations: 0 });
  });

  it('finds a symbol that was never asked for', () => {
    record('a', 1, { symbol: 'TSLA' });
    expect(judge()).toEqual(['protocol']);
  });
});
