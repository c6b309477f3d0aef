import { LIVE_BAR_MS, type LiveBar, type LiveBarInterval } from '../../market/bar.ts';
import { OFF_EXCHANGE_ID } from '../../market/exchanges.ts';
import type { BestBidOffer, IndexValue } from '../../market/quote.ts';
import { isIndex, parseSymbol } from '../../market/symbol.ts';
import type { Trade } from '../../market/trade.ts';
import type { FeedEvent } from '../feed.ts';
import { readConditions, readOptionalPrice, readPrice, readSize, readTape, readTimeMs, readTradeId } from './values.ts';

/** What the upstream says of the connection itself: answers to auth and subscribe, warnings, farewells. */
export type StatusMessage = { readonly status: string; readonly message: string };

export type Frame = {
  /** In the order of the wire. */
  readonly events: readonly FeedEvent[];
  readonly statuses: readonly StatusMessage[];
};

/** Why an element was left out. */
type DropCause = 'shape' | 'symbol' | 'price' | 'size' | 'time' | 'id' | 'exchange' | 'conditions';

/** An element as JSON gives it. These are all the wire names that are known to us. */
type Wire = {
  readonly ev?: unknown;
  readonly sym?: unknown;
  readonly T?: unknown;
  readonly x?: unknown;
  readonly i?: unknown;
  readonly z?: unknown;
  readonly p?: unknown;
  readonly s?: unknown;
  readonly ds?: unknown;
  readonly c?: unknown;
  readonly t?: unknown;
  readonly trfi?: unknown;
  readonly bp?: unknown;
  readonly bs?: unknown;
  readonly ap?: unknown;
  readonly as?: unknown;
  readonly v?: unknown;
  readonly dv?: unknown;
  readonly av?: unknown;
  readonly dav?: unknown;
  readonly op?: unknown;
  readonly vw?: unknown;
  readonly o?: unknown;
  readonly h?: unknown;
  readonly l?: unknown;
  readonly a?: unknown;
  readonly val?: unknown;
  readonly status?: unknown;
  readonly message?: unknown;
};

const NO_STATUSES: readonly StatusMessage[] = Object.freeze([]);
const NO_EVENTS: readonly FeedEvent[] = Object.freeze([]);

/** The market has some 12,600 symbols; past this the memory of names starts anew. */
const MAX_REMEMBERED_SYMBOLS = 32_768;
/** Kinds of elements that are counted by name; further ones are counted together. */
const MAX_NAMED_KINDS = 32;
const KIND_NAME = /^[A-Za-z0-9_]{1,16}$/;
/** Statuses are logged: a longer text is cut. */
const MAX_STATUS_LENGTH = 512;

/**
 * Turns the text of the wire into events. One decoder serves one socket and counts what it met. It trusts nothing: what
 * is no JSON array is counted and gives an empty frame; an element that does not hold is left out and counted by cause,
 * and the others of its frame are kept; a kind that is not ours (halts, imbalances, fair values) is counted by name.
 */
export class FrameDecoder {
  #frames = 0;
  #events = 0;
  #badFrames = 0;
  readonly #dropped = new Map<DropCause, number>();
  readonly #ignored = new Map<string, number>();
  /** The canonical symbol of each spelling met, so that it is parsed once and shared by all its events. */
  readonly #symbols = new Map<string, string>();

  /** Never throws. `receivedAt` is Unix ms. */
  decode(text: string, receivedAt: number): Frame {
    this.#frames += 1;
    let elements: unknown;
    try {
      elements = JSON.parse(text);
    } catch {
      elements = null;
    }
    if (!Array.isArray(elements)) {
      this.#badFrames += 1;
      return { events: NO_EVENTS, statuses: NO_STATUSES };
    }
    const events: FeedEvent[] = [];
    let statuses: StatusMessage[] | null = null;
    for (let index = 0; index < elements.length; index += 1) {
      const element: unknown = elements[index];
      if (typeof element !== 'object' || element === null) {
        this.#drop('shape');
        continue;
      }
      const wire = element as Wire;
      let decoded: FeedEvent | DropCause;
      switch (wire.ev) {
        case 'T':
          decoded = this.#decodeTrade(wire, receivedAt);
          break;
        case 'Q':
          decoded = this.#decodeQuote(wire, receivedAt);
          break;
        case 'A':
          decoded = this.#decodeBar(wire, 'SECOND', receivedAt);
          break;
        case 'AM':
          decoded = this.#decodeBar(wire, 'MINUTE', receivedAt);
          break;
        case 'V':
          decoded = this.#decodeIndexValue(wire, receivedAt);
          break;
        case 'status':
          (statuses ??= []).push({ status: readText(wire.status), message: readText(wire.message) });
          continue;
        default:
          this.#ignore(wire.ev);
          continue;
      }
      if (typeof decoded === 'string') this.#drop(decoded);
      else events.push(decoded);
    }
    this.#events += events.length;
    return { events, statuses: statuses ?? NO_STATUSES };
  }

  /** Counts a frame that carries no text. */
  countBinaryFrame(): void {
    this.#frames += 1;
    this.#badFrames += 1;
  }

  /** `frames`, `events`, `badFrames`, `rememberedSymbols`, `dropped.<cause>`, `ignored.<kind>`. */
  readStats(): Record<string, number> {
    const stats: Record<string, number> = {
      frames: this.#frames,
      events: this.#events,
      badFrames: this.#badFrames,
      rememberedSymbols: this.#symbols.size,
    };
    for (const [cause, count] of this.#dropped) stats[`dropped.${cause}`] = count;
    for (const [kind, count] of this.#ignored) stats[`ignored.${kind}`] = count;
    return stats;
  }

  #decodeTrade(wire: Wire, receivedAt: number): Trade | DropCause {
    const symbol = this.#readSymbol(wire.sym);
    if (symbol === null) return 'symbol';
    const price = readPrice(wire.p);
    if (price !== price) return 'price';
    const size = readSize(wire.ds, wire.s);
    if (size !== size) return 'size';
    const timestamp = readTimeMs(wire.t, receivedAt);
    if (timestamp !== timestamp) return 'time';
    const exchange = wire.x;
    if (typeof exchange !== 'number' || !Number.isInteger(exchange) || exchange < 0) return 'exchange';
    const id = readTradeId(exchange, wire.trfi, wire.i);
    if (id === null) return 'id';
    const conditions = readConditions(wire.c);
    if (conditions === null) return 'conditions';
    return {
      kind: 'trade',
      id,
      symbol,
      price,
      size,
      exchange,
      conditions,
      tape: readTape(wire.z),
      offExchange: exchange === OFF_EXCHANGE_ID,
      timestamp,
      receivedAt,
    };
  }

  #decodeQuote(wire: Wire, receivedAt: number): BestBidOffer | DropCause {
    const symbol = this.#readSymbol(wire.sym);
    if (symbol === null) return 'symbol';
    const timestamp = readTimeMs(wire.t, receivedAt);
    if (timestamp !== timestamp) return 'time';
    // 0 is how the wire says that a side has no quote.
    const hasBid = wire.bp !== undefined && wire.bp !== null && wire.bp !== 0;
    const hasAsk = wire.ap !== undefined && wire.ap !== null && wire.ap !== 0;
    const bid = hasBid ? readPrice(wire.bp) : null;
    const ask = hasAsk ? readPrice(wire.ap) : null;
    if (bid !== bid || ask !== ask) return 'price';
    const bidSize = hasBid ? readSize(undefined, wire.bs) : null;
    const askSize = hasAsk ? readSize(undefined, wire.as) : null;
    if (bidSize !== bidSize || askSize !== askSize) return 'size';
    return { kind: 'bbo', symbol, bid, bidSize, ask, askSize, timestamp, receivedAt };
  }

  #decodeBar(wire: Wire, interval: LiveBarInterval, receivedAt: number): LiveBar | DropCause {
    const symbol = this.#readSymbol(wire.sym);
    if (symbol === null) return 'symbol';
    const open = readPrice(wire.o);
    const high = readPrice(wire.h);
    const low = readPrice(wire.l);
    const close = readPrice(wire.c);
    // One sum tells whether any of them is not a number.
    const sum = open + high + low + close;
    if (sum !== sum) return 'price';
    const start = readTimeMs(wire.s, receivedAt);
    if (start !== start) return 'time';
    // An index has no volume, and its bars have no such field.
    const volume = wire.v === undefined && wire.dv === undefined && isIndex(symbol) ? 0 : readSize(wire.dv, wire.v);
    if (volume !== volume) return 'size';
    const dayVolume = readSize(wire.dav, wire.av);
    return {
      kind: 'bar',
      symbol,
      interval,
      open,
      high,
      low,
      close,
      volume,
      vwap: readOptionalPrice(wire.vw),
      start,
      // Not the wire's `e`: bars of an index were seen with the start in both fields.
      end: start + LIVE_BAR_MS[interval],
      dayOpen: readOptionalPrice(wire.op),
      dayVolume: dayVolume === dayVolume ? dayVolume : null,
      dayVwap: readOptionalPrice(wire.a),
      receivedAt,
    };
  }

  #decodeIndexValue(wire: Wire, receivedAt: number): IndexValue | DropCause {
    const symbol = this.#readSymbol(wire.T);
    if (symbol === null) return 'symbol';
    const value = readPrice(wire.val);
    if (value !== value) return 'price';
    const timestamp = readTimeMs(wire.t, receivedAt);
    if (timestamp !== timestamp) return 'time';
    return { kind: 'index-value', symbol, value, timestamp, receivedAt };
  }

  #readSymbol(value: unknown): string | null {
    if (typeof value !== 'string') return null;
    const known = this.#symbols.get(value);
    if (known !== undefined) return known;
    const symbol = parseSymbol(value);
    // What is no symbol may be of any length: it is not remembered.
    if (symbol === null) return null;
    if (this.#symbols.size >= MAX_REMEMBERED_SYMBOLS) this.#symbols.clear();
    this.#symbols.set(value, symbol);
    return symbol;
  }

  #drop(cause: DropCause): void {
    this.#dropped.set(cause, (this.#dropped.get(cause) ?? 0) + 1);
  }

  #ignore(kind: unknown): void {
    let name = typeof kind === 'string' && KIND_NAME.test(kind) ? kind : 'other';
    if (!this.#ignored.has(name) && this.#ignored.size >= MAX_NAMED_KINDS) name = 'other';
    this.#ignored.set(name, (this.#ignored.get(name) ?? 0) + 1);
  }
}

function readText(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, MAX_STATUS_LENGTH) : '';
}
