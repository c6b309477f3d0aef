import { expect, test } from 'vitest';
import { readOptions, UsageError } from './options.ts';

test('watches a few symbols on this machine where nothing is said', () => {
  expect(readOptions([])).toEqual({
    symbols: ['AAPL', 'MSFT', 'NVDA', 'AMZN', 'TSLA', 'SPY'],
    url: 'http://localhost:4000/graphql',
    quotes: true,
    trades: true,
    bars: false,
    json: false,
    maxRateHz: null,
    timeoutMs: null,
  });
});

test('takes symbols in any case, once each, apart or with commas', () => {
  expect(readOptions(['aapl', 'BRK.B,msft,', ' AAPL '])).toMatchObject({ symbols: ['AAPL', 'BRK.B', 'MSFT'] });
});

test('takes every option', () => {
  const line = 'AAPL --url https://tape.example/graphql --no-quotes --trades --bars --max-rate 2.5 --json --timeout 10';
  expect(readOptions(line.split(' '))).toEqual({
    symbols: ['AAPL'],
    url: 'https://tape.example/graphql',
    quotes: false,
    trades: true,
    bars: true,
    json: true,
    maxRateHz: 2.5,
    timeoutMs: 10_000,
  });
});

test('tells help from options', () => {
  expect(readOptions(['--help'])).toBe('help');
  expect(readOptions(['-h', 'AAPL'])).toBe('help');
});

test.each([
  [['--url', 'nonsense'], '--url: "nonsense" is no http or https URL'],
  [['--url', 'ftp://tape.example'], '--url: "ftp://tape.example" is no http or https URL'],
  [['--max-rate', 'fast'], '--max-rate: "fast" is no number above 0 and up to 1000'],
  [['--max-rate', '0'], '--max-rate: "0" is no number above 0 and up to 1000'],
  [['--max-rate', '1001'], '--max-rate: "1001" is no number above 0 and up to 1000'],
  [['--timeout', ''], '--timeout: "" is no number above 0 and up to 86400'],
  [['--no-quotes', '--no-trades'], 'nothing is left to watch: no quotes, no trades, no bars'],
  [['--wrong'], /^Unknown option '--wrong'/],
  [['--url'], /'--url <value>' argument missing/],
])('refuses %j and says why', (args, message) => {
  expect(() => readOptions(args)).toThrow(UsageError);
  expect(() => readOptions(args)).toThrow(message);
});
