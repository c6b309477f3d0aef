import { readAgeMs, readTimeAgeMs } from './clock.ts';
import type { Mark } from './frame-walker.ts';

/** What a server speaks, and what its clients ask for where it is not quotes. */
export type ProtocolName = 'graphql-transport-ws' | 'socket.io' | 'trades, by print' | 'trades, by receipt';

/** One client's side of a dialogue, as text messages. */
export type Dialogue = {
  /** What it says once the socket is open. */
  readonly first: readonly string[];
  /** Takes a message that is not counted. `subscribed`: `say` was the last word of the opening. */
  hear(text: string): { readonly say?: string; readonly subscribed?: boolean; readonly isUnexpected?: boolean };
};

export type Protocol = {
  readonly path: string;
  readonly subprotocol: string | null;
  /** Of the messages that carry a quote. */
  readonly mark: Mark;
  begin(symbols: readonly string[], token: string): Dialogue;
  /** How old what a message carries is, in ms; `null` where it does not tell. */
  readAge(message: Buffer): number | null;
};

/** Eight fields, as a watchlist shows them. */
export const QUOTE_UPDATES =
  'subscription ($symbols: [Symbol!]!) { quoteUpdates(symbols: $symbols) ' +
  '{ symbol price change changePercent bid ask volume timestamp } }';

export const TRADES =
  'subscription ($symbols: [Symbol!]!) { trades(symbols: $symbols) ' +
  '{ symbol price size sequence gapBefore timestamp receivedAt } }';

/** All of it, as a portfolio's page shows it. */
export const PORTFOLIO =
  'subscription { portfolio { totalValue cash equity dayChange dayChangePercent timestamp positions ' +
  '{ symbol quantity averagePrice marketPrice marketValue unrealizedPnl unrealizedPnlPercent dayChange } } }';

/** `readCursor`: after which cursor a subscription to a log is to go on; `null`: from now on. */
export function speakGraphQL(
  query: string,
  readAge: Protocol['readAge'],
  readCursor: () => string | null = () => null,
): Protocol {
  return {
    path: '/graphql',
    subprotocol: 'graphql-transport-ws',
    mark: { offset: '{"id":"1","type":"n'.length, byte: 'e'.charCodeAt(0) },
    begin: (symbols, token) => ({
      first: [JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } })],
      hear: (text) => {
        if (!text.startsWith('{"type":"connection_ack"')) return { isUnexpected: true };
        const resumeFrom = readCursor();
        const payload = { query, variables: { symbols }, ...(resumeFrom !== null && { extensions: { resumeFrom } }) };
        return { say: JSON.stringify({ id: '1', type: 'subscribe', payload }), subscribed: true };
      },
    }),
    readAge,
  };
}

/** Of one client of a log: it says after which cursor it goes on. */
export function speakOfTrades(readCursor: () => string | null): Protocol {
  return speakGraphQL(TRADES, (message) => readTimeAgeMs(message, '"receivedAt":"'), readCursor);
}

/** Of viewers, who are known by their tokens. */
export const speaksOfPortfolios: Protocol = speakGraphQL(PORTFOLIO, () => null);

export const protocols: Readonly<Record<ProtocolName, Protocol>> = {
  'graphql-transport-ws': speakGraphQL(QUOTE_UPDATES, readAgeMs),
  'trades, by print': speakGraphQL(TRADES, (message) => readTimeAgeMs(message, '"timestamp":"')),
  'trades, by receipt': speakGraphQL(TRADES, (message) => readTimeAgeMs(message, '"receivedAt":"')),
  'socket.io': {
    path: '/socket.io/?EIO=4&transport=websocket',
    subprotocol: null,
    mark: { offset: 1, byte: '2'.charCodeAt(0) },
    begin: (symbols) => ({
      first: [],
      hear: (text) => {
        if (text === '2') return { say: '3' };
        if (text.startsWith('40')) return { say: `42${JSON.stringify(['subscribe', symbols])}`, subscribed: true };
        return text.startsWith('0') ? { say: '40' } : { isUnexpected: true };
      },
    }),
    readAge: readAgeMs,
  },
};
