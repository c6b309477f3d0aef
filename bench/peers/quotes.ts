/* What the peers have in common: they take quotes from the same Redis as the product, and send the same eight fields. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import { quoteChannel } from '../../src/bus/bus.ts';
import type { Quote } from '../../src/market/quote.ts';

export type PeerQuote = Pick<Quote, 'symbol' | 'price' | 'change' | 'changePercent' | 'bid' | 'ask' | 'volume'> & {
  readonly timestamp: string;
};

export function pickFields({ symbol, price, change, changePercent, bid, ask, volume, timestamp }: Quote): PeerQuote {
  return { symbol, price, change, changePercent, bid, ask, volume, timestamp: new Date(timestamp).toISOString() };
}

/** The message in which a GraphQL server sends a quote. */
export function encodeNext(quote: PeerQuote): string {
  return JSON.stringify({ id: '1', type: 'next', payload: { data: { quoteUpdates: quote } } });
}

/** Of a client's message: the symbols that it wants, or what to answer. */
export function readRequest(text: string): { readonly symbols: readonly string[] } | { readonly answer: string } {
  const { type, payload } = JSON.parse(text) as { type: string; payload?: { variables?: { symbols?: string[] } } };
  if (type === 'subscribe') return { symbols: payload?.variables?.symbols ?? [] };
  return { answer: JSON.stringify({ type: type === 'connection_init' ? 'connection_ack' : 'pong' }) };
}

/** Who watches each symbol; a channel of Redis is subscribed to when its first watcher comes. */
export class QuoteRooms<Member> {
  readonly #redis: Redis;
  /** By channel. */
  readonly #rooms = new Map<string, Set<Member>>();

  constructor(redisUrl: string, onQuote: (quote: PeerQuote, members: ReadonlySet<Member>) => void) {
    this.#redis = new Redis(redisUrl);
    this.#redis.on('message', (channel: string, text: string) => {
      const members = this.#rooms.get(channel);
      if (members !== undefined) onQuote(pickFields(JSON.parse(text) as Quote), members);
    });
  }

  join(member: Member, symbols: readonly string[]): void {
    for (const symbol of symbols) {
      const channel = quoteChannel(symbol).name;
      let room = this.#rooms.get(channel);
      if (room === undefined) {
        this.#rooms.set(channel, (room = new Set()));
        this.#redis.subscribe(channel).catch((error: unknown) => console.error('could not subscribe', error));
      }
      room.add(member);
    }
  }

  leave(member: Member): void {
    for (const room of this.#rooms.values()) room.delete(member);
  }
}

/** Tells whoever started this process where it listens. */
export function listen(server: Server): void {
  server.listen(0, '127.0.0.1', () => {
    console.log(JSON.stringify({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }));
  });
}
