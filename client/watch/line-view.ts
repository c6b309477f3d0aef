import { formatChange, formatPercent, formatPrice, formatQuantity, formatSide, formatTime } from './figures.ts';
import { describeConnection, type Trade, type View } from './view.ts';

export type LineOutput = {
  readonly out: { write(text: string): unknown };
  readonly err: { write(text: string): unknown };
};

/** One line per event on stdout, for reading and for `grep`; what concerns the connection on stderr. */
export function createLineView({ out, err }: LineOutput, url: string): View {
  const line = (...cells: string[]): void => void out.write(`${cells.join('  ')}\n`);
  return {
    showQuote: (quote) =>
      line(
        formatTime(quote.timestamp),
        quote.symbol.padEnd(6),
        'quote',
        formatPrice(quote.price),
        formatChange(quote.change),
        formatPercent(quote.changePercent),
        `bid ${formatSide(quote.bid, quote.bidSize)}`,
        `ask ${formatSide(quote.ask, quote.askSize)}`,
        `volume ${formatQuantity(quote.volume)}${quote.stale ? '  stale' : ''}`,
      ),
    showTrade: (trade) => line(describeTrade(trade)),
    showBar: (bar) =>
      line(
        formatTime(bar.start),
        bar.symbol.padEnd(6),
        'bar',
        ...[bar.open, bar.high, bar.low, bar.close].map(formatPrice),
        `volume ${formatQuantity(bar.volume)}`,
        ...(bar.gapBefore ? ['bars may be missing before'] : []),
      ),
    showMarketStatus: ({ session, isOpen }) => void err.write(`market: ${session}${isOpen ? ', open' : ''}\n`),
    showServiceStatus: ({ state, feed, reason }) =>
      void err.write(`service: ${state}, feed ${feed}${reason === null ? '' : `: ${reason}`}\n`),
    showConnection: (status) => {
      const isSettled = status.state !== 'connecting' && status.state !== 'resuming';
      if (isSettled || status.retryAt !== null) err.write(`${describeConnection(status, url)}\n`);
    },
    showGap: (log) =>
      void err.write(`gap: ${log} were missed here, the server's history does not reach back to them\n`),
    showError: (message) => void err.write(`${message}\n`),
    close: () => {},
  };
}

/** One JSON object per line, each with its `type` and otherwise as the API has it; errors on stderr. */
export function createJsonView({ out, err }: LineOutput): View {
  const line = (type: string, fields: object): void => void out.write(`${JSON.stringify({ type, ...fields })}\n`);
  return {
    showQuote: (quote) => line('quote', quote),
    showTrade: (trade) => line('trade', trade),
    showBar: (bar) => line('bar', bar),
    showMarketStatus: (status) => line('marketStatus', status),
    showServiceStatus: (status) => line('serviceStatus', status),
    showConnection: ({ state, failures, cause }, reconnects) =>
      line('connection', { status: state, reconnects, ...(cause && { failures, cause }) }),
    showGap: (log, gap) => line('gap', { log, ...gap }),
    showError: (message) => void err.write(`${message}\n`),
    close: () => {},
  };
}

export function describeTrade(trade: Trade): string {
  const marks = [
    ...trade.conditions.map(({ name }) => name),
    ...(trade.gapBefore ? ['prints may be missing before'] : []),
  ];
  return [
    formatTime(trade.timestamp),
    trade.symbol.padEnd(6),
    'trade',
    `${formatPrice(trade.price)} × ${formatQuantity(trade.size)}`,
    trade.offExchange ? `${trade.exchange.name} (off exchange)` : trade.exchange.name,
    ...(marks.length > 0 ? [marks.join(', ')] : []),
  ].join('  ');
}
