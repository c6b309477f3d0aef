import type { Mark } from './frame-walker.ts';

export type ProtocolName = 'graphql-transport-ws' | 'socket.io';

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
};

/** Eight fields, as a watchlist shows them. */
export const QUOTE_UPDATES =
  'subscription ($symbols: [Symbol!]!) { quoteUpdates(symbols: $symbols) ' +
  '{ symbol price change changePercent bid ask volume timestamp } }';

export const protocols: Readonly<Record<ProtocolName, Protocol>> = {
  'graphql-transport-ws': {
    path: '/graphql',
    subprotocol: 'graphql-transport-ws',
    mark: { offset: '{"id":"1","type":"n'.length, byte: 'e'.charCodeAt(0) },
    begin: (symbols, token) => ({
      first: [JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } })],
      hear: (text) => {
        if (!text.startsWith('{"type":"connection_ack"')) return { isUnexpected: true };
        const payload = { query: QUOTE_UPDATES, variables: { symbols } };
        return { say: JSON.stringify({ id: '1', type: 'subscribe', payload }), subscribed: true };
      },
    }),
  },
  'socket.io': {
    path: '/socket.io/?EIO=4&transport=websocket',
    subprotocol: null,
    mark: { offset: 1, byte: '2'.charCodeAt(0) },
    begin: (symbols) => ({
      first: [],
      hear: (text) => {
        if (text === '2') return { say: '3' };
        if (text.startsWith('0')) return { say: '40' };
        if (text.startsWith('40')) return { say: `42${JSON.stringify(['subscribe', symbols])}`, subscribed: true };
        return { isUnexpected: true };
      },
    }),
  },
};
