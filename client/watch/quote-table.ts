import {
  formatChange,
  formatPercent,
  formatPrice,
  formatQuantity,
  formatSide,
  formatTime,
  UNKNOWN,
} from './figures.ts';
import type { Span } from './span.ts';
import type { Quote } from './view.ts';

/** The newest quote of a symbol, and where its price went last: up, down, or nowhere yet. */
export type Row = { readonly quote: Quote; readonly direction: -1 | 0 | 1 };

type Column = { readonly title: string; readonly width: number; readonly cell: (row: Row) => Span };

const COLUMNS: readonly Column[] = [
  { title: 'price', width: 10, cell: ({ quote, direction }) => paintBySign(formatPrice(quote.price), direction) },
  { title: 'change', width: 9, cell: ({ quote }) => paintBySign(formatChange(quote.change), quote.change) },
  { title: '%', width: 8, cell: ({ quote }) => paintBySign(formatPercent(quote.changePercent), quote.change) },
  { title: 'bid', width: 17, cell: ({ quote }) => ({ text: formatSide(quote.bid, quote.bidSize) }) },
  { title: 'ask', width: 17, cell: ({ quote }) => ({ text: formatSide(quote.ask, quote.askSize) }) },
  { title: 'volume', width: 14, cell: ({ quote }) => ({ text: formatQuantity(Math.round(quote.volume)) }) },
  {
    title: 'time (UTC)',
    width: 13,
    cell: ({ quote }) => ({ text: formatTime(quote.timestamp), style: quote.stale ? 'yellow' : 'dim' }),
  },
];

/** The table's lines, its head first: one for each symbol, in the order asked for, also where nothing is known of it. */
export function renderQuoteTable(symbols: readonly string[], rows: ReadonlyMap<string, Row>): Span[][] {
  const symbolWidth = Math.max(6, ...symbols.map((symbol) => symbol.length));
  const head: Span[] = [
    { text: 'symbol'.padEnd(symbolWidth), style: 'dim' },
    ...COLUMNS.map(({ title, width }): Span => ({ text: ` ${title.padStart(width)}`, style: 'dim' })),
  ];
  const body = symbols.map((symbol): Span[] => {
    const row = rows.get(symbol);
    const cells = COLUMNS.map(({ width, cell }): Span => {
      const span: Span = row === undefined ? { text: UNKNOWN, style: 'dim' } : cell(row);
      return { ...span, text: ` ${span.text.padStart(width)}` };
    });
    return [{ text: symbol.padEnd(symbolWidth), style: 'bold' }, ...cells];
  });
  return [head, ...body];
}

function paintBySign(text: string, sign: number | null): Span {
  return sign === null || sign === 0 ? { text } : { text, style: sign > 0 ? 'green' : 'red' };
}
