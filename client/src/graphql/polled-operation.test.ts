import { readFileSync } from 'node:fs';
import { stringifyDocument } from '@urql/core';
import { buildSchema, parse, validate } from 'graphql';
import { expect, test } from 'vitest';
import { createManualClock } from '../../testing/manual-clock.ts';
import { readLiveDocument } from './live-document.ts';
import { Bars, QuoteUpdates, Trades } from './operations.ts';
import { choosePolledOperation } from './polled-choice.ts';
import type { PolledOperation } from './polled-operation.ts';

const schema = buildSchema(readFileSync(new URL('../../../schema.graphql', import.meta.url), 'utf8'));
const BEGIN = Date.parse('2026-11-20T15:00:00.000Z');
const at = (ms: number): string => new Date(BEGIN + ms).toISOString();

function choose(text: Parameters<typeof stringifyDocument>[0], variables: Record<string, unknown>) {
  const clock = createManualClock(BEGIN);
  const operation = choosePolledOperation(readLiveDocument(parse(stringifyDocument(text)))!, variables, clock);
  return { operation: operation!, clock };
}

const symbols = (count: number): string[] => Array.from({ length: count }, (_, index) => `S${index}`);
const print = (symbol: string, id: number, ms = id) => ({
  symbol,
  id: String(id),
  timestamp: at(ms),
  cursor: `c${id}`,
});
const bar = (symbol: string, second: number, close = 1) => ({ symbol, start: at(second * 1000), close });

/** One answer with the lists of the first symbols. */
const answer = (...lists: unknown[][]) => [Object.fromEntries(lists.map((list, index) => [`polled${index}`, list]))];

function readEntries(operation: PolledOperation, ...lists: unknown[][]): unknown[] {
  return operation.readRound(answer(...lists)).entries.map(({ entry }) => entry);
}

test.each([
  ['trades', Trades, { symbols: symbols(45) }, 3],
  ['bars', Bars, { symbols: symbols(45), interval: 'MINUTE' }, 5],
  ['quotes', QuoteUpdates, { symbols: symbols(500), maxRateHz: 4 }, 1],
  ['a portfolio', 'subscription { mine: portfolio { cash } }', {}, 1],
  ['what is written into the document', 'subscription { trades(symbols: ["AAPL", "MSFT"]) { price } }', {}, 1],
  [
    'fragments, aliases and what depends on variables',
    `subscription Some($symbols: [Symbol!]!, $isWhole: Boolean!) { tape: trades(symbols: $symbols) { ...Whole } }
     fragment Whole on Trade { price conditions @include(if: $isWhole) { name } }`,
    { symbols: ['AAPL'], isWhole: true },
    1,
  ],
] as const)('%s: asked for by queries that the schema has', (_name, document, variables, count) => {
  const requests = choose(document, variables).operation.readRequests();
  expect(requests).toHaveLength(count);
  for (const request of requests) {
    const parsed = parse(stringifyDocument(request.document));
    expect(validate(schema, parsed)).toEqual([]);
    const [operation] = parsed.definitions;
    const declared = operation?.kind === 'OperationDefinition' ? (operation.variableDefinitions ?? []) : [];
    for (const { variable } of declared) expect(Object.keys(request.variables)).toContain(variable.name.value);
  }
});

test('what no query tells has to wait for a stream', () => {
  const document = 'subscription { tradeNotifications { __typename } }';
  expect(choose(document, {}).operation).toBeNull();
});

test('prints of several symbols come in the order of their times, and each symbol’s in its own', () => {
  const { operation } = choose(Trades, { symbols: ['A', 'B'] });
  for (const entry of [print('A', 1), print('B', 2)]) operation.take(entry);
  const a = [print('A', 1), print('A', 4), print('A', 3)];
  const b = [print('B', 2), print('B', 5)];
  expect(readEntries(operation, a, b)).toEqual([a[1], a[2], b[1]]);
  expect(readEntries(operation, a, b)).toEqual([]);
});

test('of a symbol that has not printed yet comes what was printed after the newest of the others', () => {
  const { operation } = choose(Trades, { symbols: ['A', 'B'] });
  operation.take(print('A', 5));
  // The first of them is from before the reader's time, or he would have had it.
  const b = [print('B', 4), print('B', 6)];
  expect(readEntries(operation, [print('A', 5)], b)).toEqual([b[1]]);
});

test('the place moves to where a round has had all of what the one before it saw', () => {
  const { operation } = choose(Trades, { symbols: ['A', 'B'] });
  operation.take(print('A', 1));
  expect(operation.readRound(answer([print('A', 1), print('A', 3)], [print('B', 2)])).place).toBeNull();
  expect(operation.readRound(answer([print('A', 3)], [print('B', 2), print('B', 4)])).place).toBe('c3');
  expect(operation.readRound(answer([print('A', 3)], [print('B', 4)])).place).toBe('c4');
});

test('an event that queries had is not had again, until it may be another of the same name', () => {
  const { operation, clock } = choose(Trades, { symbols: ['A'] });
  operation.take(print('A', 1));
  expect(readEntries(operation, [print('A', 1), print('A', 2)])).toHaveLength(1);
  expect(operation.take(print('A', 2))).toBe(false);
  expect(operation.take(print('A', 3))).toBe(true);
  clock.advance(24 * 3_600_000);
  expect(operation.take(print('A', 2))).toBe(true);
});

test('a bar comes when it is new, and again as it grows; what ended before the reader came does not', () => {
  const { operation } = choose(Bars, { symbols: ['A'], interval: 'SECOND' });
  expect(readEntries(operation, [bar('A', 1), bar('A', 2)])).toEqual([]);
  expect(operation.readRequests()[0]!.variables['pollFrom0']).toBe(at(0));
  const grown = [bar('A', 1), bar('A', 2, 1.5), bar('A', 3)];
  expect(readEntries(operation, grown)).toEqual(grown.slice(1));
  expect(readEntries(operation, grown)).toEqual([]);
});

test('a log of bars that is resumed brings again what queries had: only the newest of it, which may have grown', () => {
  const { operation } = choose(Bars, { symbols: ['A'], interval: 'SECOND' });
  operation.take(bar('A', 1));
  expect(readEntries(operation, [bar('A', 1), bar('A', 2), bar('A', 3)])).toEqual([bar('A', 2), bar('A', 3)]);
  expect([2, 3, 4, 3].map((second) => operation.take(bar('A', second)))).toEqual([false, true, true, true]);
});
