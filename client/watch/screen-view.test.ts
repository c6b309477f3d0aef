import { EventEmitter } from 'node:events';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { TapeStatus } from '../src/graphql/tape-status.ts';
import { createScreenView, type Terminal } from './screen-view.ts';
import type { Quote, Trade, View } from './view.ts';

const URL = 'http://localhost:4000/graphql';
const QUOTE: Quote = {
  symbol: 'AAPL',
  price: 223.32,
  change: -1.52,
  changePercent: -0.676,
  bid: 223.31,
  bidSize: 300,
  ask: 223.32,
  askSize: 1200,
  volume: 83_292_900.866,
  timestamp: '2026-11-20T15:04:05.678Z',
  stale: false,
};
const TRADE: Trade = {
  id: '1',
  symbol: 'AAPL',
  price: 223.32,
  size: 0.5,
  exchange: { name: 'Nasdaq' },
  conditions: [{ name: 'Odd Lot Trade' }],
  offExchange: false,
  sequence: 1,
  gapBefore: false,
  timestamp: '2026-11-20T15:04:05.700Z',
};

class FakeTerminal extends EventEmitter implements Terminal {
  columns = 120;
  rows = 12;
  written = '';
  readonly #isColoured: boolean;

  constructor(isColoured = false) {
    super();
    this.#isColoured = isColoured;
  }

  hasColors(): boolean {
    return this.#isColoured;
  }

  write(text: string): void {
    this.written += text;
  }

  /** The lines of the last frame. */
  get lines(): string[] {
    return stripVTControlCharacters(this.written.split('\x1b[H').at(-1)!)
      .split('\r\n')
      .map((line) => line.trimEnd());
  }
}

const LIVE: TapeStatus = {
  state: 'live',
  since: 0,
  failures: 0,
  retryAt: null,
  cause: null,
  isRefused: false,
  waiting: 0,
};

let view: View;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  view.close();
  vi.useRealTimers();
});

function open(terminal: FakeTerminal, symbols = ['AAPL', 'ZZZZ']): FakeTerminal {
  view = createScreenView(terminal, URL, symbols);
  return terminal;
}

function paint(): void {
  vi.advanceTimersByTime(100);
}

test('shows the status above, a row for each symbol asked for, and the last prints below', () => {
  const terminal = open(new FakeTerminal());
  view.showConnection(LIVE, 0);
  view.showMarketStatus({ isOpen: true, session: 'REGULAR', nextOpen: null, nextClose: null, holiday: null });
  view.showServiceStatus({ state: 'DEGRADED', reason: 'Redis is away.', feed: 'SIMULATED', feedConnected: true });
  view.showQuote(QUOTE);
  view.showTrade(TRADE);
  view.showBar({
    symbol: 'AAPL',
    interval: 'SECOND',
    start: '2026-11-20T15:04:05.000Z',
    open: 1,
    high: 4,
    low: 0.5,
    close: 2,
    volume: 3000,
    vwap: 2,
    gapBefore: true,
  });
  paint();
  expect(terminal.lines).toEqual([
    'TapeQL  connected to http://localhost:4000/graphql',
    'market REGULAR, open   feed SIMULATED   service DEGRADED: Redis is away.   reconnects 0',
    '',
    'symbol      price    change        %               bid               ask         volume    time (UTC)',
    'AAPL       223.32     −1.52   −0.68%      223.31 × 300    223.32 × 1,200     83,292,901  15:04:05.678',
    'ZZZZ            –         –        –                 –                 –              –             –',
    '',
    '15:04:05.700  AAPL    trade  223.32 × 0.5  Nasdaq  Odd Lot Trade',
    '15:04:05.000  AAPL    bar    1.00 4.00 0.5000 2.00  3,000  bars may be missing before',
    '',
  ]);
});

test('paints a burst once', () => {
  const terminal = open(new FakeTerminal());
  const before = terminal.written.split('\x1b[H').length;
  for (let price = 1; price <= 1000; price++) view.showQuote({ ...QUOTE, price });
  paint();
  expect(terminal.written.split('\x1b[H').length).toBe(before + 1);
  expect(terminal.lines.join('\n')).toContain('1000.00');
});

test('lets the prints scroll and keeps to the size of the terminal, also when that changes', () => {
  const terminal = open(new FakeTerminal());
  for (let size = 1; size <= 300; size++) view.showTrade({ ...TRADE, size });
  view.showGap('trades', { after: 'c1', oldestCursor: null });
  paint();
  expect(terminal.lines).toHaveLength(12);
  expect(terminal.lines.slice(-5)).toEqual([
    ...[298, 299, 300].map((size) => `15:04:05.700  AAPL    trade  223.32 × ${size}  Nasdaq  Odd Lot Trade`),
    '··· trades were missed here ···',
    '',
  ]);
  terminal.rows = 6;
  terminal.columns = 20;
  terminal.emit('resize');
  paint();
  expect(terminal.lines).toEqual([
    'TapeQL  connecting t',
    'market –   feed –',
    '',
    'symbol      price',
    '… 2 more',
    '',
  ]);
});

test('says that the connection is gone, why, and when it is tried again', () => {
  const terminal = open(new FakeTerminal());
  const cause = { code: 1001, reason: 'Going away' };
  // It is painted 100 ms later.
  const retryAt = Date.now() + 740;
  view.showConnection({ ...LIVE, state: 'resuming', failures: 1, retryAt, cause }, 2);
  view.showError('The market data source cannot be reached now.');
  paint();
  expect(terminal.lines[0]).toBe(
    'TapeQL  no connection to http://localhost:4000/graphql (1001 Going away): trying again in 0.6 s',
  );
  expect(terminal.lines[1]).toContain('reconnects 2');
  expect(terminal.lines[2]).toBe('The market data source cannot be reached now.');
  view.showConnection(LIVE, 3);
  paint();
  expect(terminal.lines[2]).toBe('');
});

test('colours rises and falls where the terminal has colours, and nothing elsewhere', () => {
  const coloured = open(new FakeTerminal(true));
  view.showQuote(QUOTE);
  view.showQuote({ ...QUOTE, price: 223.4 });
  paint();
  expect(coloured.written).toContain(`\x1b[32m${'223.40'.padStart(11)}\x1b[39m`);
  expect(coloured.written).toContain(`\x1b[31m${'−1.52'.padStart(10)}\x1b[39m`);
  view.close();
  const plain = open(new FakeTerminal(false));
  view.showQuote(QUOTE);
  paint();
  // eslint-disable-next-line no-control-regex
  expect(plain.written).not.toMatch(/\x1b\[\d*m/);
});

test('leaves the terminal as it was', () => {
  const terminal = open(new FakeTerminal());
  expect(terminal.written.startsWith('\x1b[?1049h\x1b[?25l')).toBe(true);
  view.showQuote(QUOTE);
  view.close();
  expect(terminal.written.endsWith('\x1b[?25h\x1b[?1049l')).toBe(true);
  const { length } = terminal.written;
  vi.runAllTimers();
  expect(terminal.written).toHaveLength(length);
  expect(terminal.listenerCount('resize')).toBe(0);
});
