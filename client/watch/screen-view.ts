import type { TapeStatus } from '../src/graphql/tape-status.ts';
import { formatPrice, formatQuantity, formatTime } from './figures.ts';
import { describeTrade } from './line-view.ts';
import { renderQuoteTable, type Row } from './quote-table.ts';
import { renderLine, type Span } from './span.ts';
import { describeConnection, type MarketStatus, type ServiceStatus, type View } from './view.ts';

/** As much of a terminal as is needed here; `process.stdout` is one. */
export type Terminal = {
  readonly columns: number;
  readonly rows: number;
  hasColors(): boolean;
  write(text: string): unknown;
  on(event: 'resize', listener: () => void): unknown;
  off(event: 'resize', listener: () => void): unknown;
};

/** The eye takes no more. */
const FRAME_INTERVAL_MS = 100;
/** More prints than any terminal has lines; older ones are forgotten. */
const MAX_PRINTS = 200;

// The alternate screen leaves what was on the terminal before as it was.
const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

/** A table of quotes repainted in place, with the status above it and the last prints below. */
export function createScreenView(terminal: Terminal, url: string, symbols: readonly string[]): View {
  const isColoured = terminal.hasColors();
  const rows = new Map<string, Row>();
  const prints: Span[][] = [];
  let connection: TapeStatus | null = null;
  let reconnects = 0;
  let market: MarketStatus | null = null;
  let service: ServiceStatus | null = null;
  let problem: string | null = null;
  let frame: ReturnType<typeof setTimeout> | undefined;

  function renderStatus(): Span[][] {
    const live = connection?.state === 'live';
    const status: Span[] = [
      { text: 'market ', style: 'dim' },
      { text: market === null ? '–' : `${market.session}${market.isOpen ? ', open' : ''}${holidayOf(market)}` },
      { text: '   feed ', style: 'dim' },
      service === null ? { text: '–' } : { text: service.feed, style: service.feedConnected ? 'green' : 'red' },
      { text: '   service ', style: 'dim' },
      service === null
        ? { text: '–' }
        : { text: describeService(service), style: service.state === 'OPERATIONAL' ? 'green' : 'yellow' },
      { text: '   reconnects ', style: 'dim' },
      { text: String(reconnects) },
    ];
    return [
      [
        { text: 'TapeQL  ', style: 'bold' },
        {
          text: connection === null ? `connecting to ${url}` : describeConnection(connection, url),
          style: live ? 'green' : 'yellow',
        },
      ],
      status,
      problem === null ? [] : [{ text: problem, style: 'red' }],
    ];
  }

  function paint(): void {
    frame = undefined;
    const above = renderStatus();
    const table = renderQuoteTable(symbols, rows);
    // The last line stays empty: writing to its end would scroll the screen.
    const room = Math.max(0, terminal.rows - 1 - above.length);
    const lines = [...above, ...table.slice(0, room)];
    if (table.length > room && room > 0) {
      lines[lines.length - 1] = [{ text: `… ${table.length - room + 1} more`, style: 'dim' }];
    }
    const roomForPrints = room - table.length - 1;
    if (roomForPrints > 0 && prints.length > 0) lines.push([], ...prints.slice(-roomForPrints));
    const text = lines.map((spans) => `${renderLine(spans, terminal.columns, isColoured)}${CLEAR_LINE}\r\n`).join('');
    terminal.write(`${HOME}${text}${CLEAR_BELOW}`);
  }

  function repaint(): void {
    frame ??= setTimeout(paint, FRAME_INTERVAL_MS);
  }

  function addPrint(spans: Span[]): void {
    prints.push(spans);
    if (prints.length > MAX_PRINTS) prints.shift();
    repaint();
  }

  terminal.on('resize', repaint);
  terminal.write(ENTER);
  paint();

  return {
    showQuote: (quote) => {
      const before = rows.get(quote.symbol);
      const moved = Math.sign(quote.price - (before?.quote.price ?? quote.price)) as -1 | 0 | 1;
      rows.set(quote.symbol, { quote, direction: moved === 0 ? (before?.direction ?? 0) : moved });
      repaint();
    },
    showTrade: (trade) => addPrint([{ text: describeTrade(trade) }]),
    showBar: (bar) => {
      const prices = [bar.open, bar.high, bar.low, bar.close].map(formatPrice).join(' ');
      const text = `${formatTime(bar.start)}  ${bar.symbol.padEnd(6)}  bar    ${prices}  ${formatQuantity(bar.volume)}`;
      addPrint([{ text: bar.gapBefore ? `${text}  bars may be missing before` : text, style: 'dim' }]);
    },
    showMarketStatus: (status) => {
      market = status;
      repaint();
    },
    showServiceStatus: (status) => {
      service = status;
      repaint();
    },
    showConnection: (status, count) => {
      connection = status;
      reconnects = count;
      if (status.state === 'live') problem = null;
      repaint();
    },
    showGap: (log) => addPrint([{ text: `··· ${log} were missed here ···`, style: 'yellow' }]),
    showError: (message) => {
      problem = message;
      repaint();
    },
    close: () => {
      clearTimeout(frame);
      terminal.off('resize', repaint);
      terminal.write(LEAVE);
    },
  };
}

function describeService({ state, reason }: ServiceStatus): string {
  return reason === null ? state : `${state}: ${reason}`;
}

function holidayOf({ holiday }: MarketStatus): string {
  return holiday === null ? '' : ` (${holiday})`;
}
