import type { Messages } from './bus.ts';

/**
 * How each kind of message is written on the wire: JSON, checked field by field when it is read, since any program may
 * publish on these channels. Fields that are not known pass, so that an older reader understands a newer writer.
 */
export const codecs: { readonly [K in keyof Messages]: Codec<Messages[K]> } = {
  quote: defineCodec<Messages['quote']>({
    symbol: isSymbolText,
    price: Number.isFinite,
    change: isNumberOrNull,
    changePercent: isNumberOrNull,
    bid: isNumberOrNull,
    bidSize: isNumberOrNull,
    ask: isNumberOrNull,
    askSize: isNumberOrNull,
    open: isNumberOrNull,
    high: isNumberOrNull,
    low: isNumberOrNull,
    previousClose: isNumberOrNull,
    vwap: isNumberOrNull,
    volume: Number.isFinite,
    timestamp: Number.isFinite,
    receivedAt: Number.isFinite,
  }),
  trade: defineCodec<Messages['trade']>({
    kind: isOneOf('trade'),
    id: isString,
    symbol: isSymbolText,
    price: Number.isFinite,
    size: Number.isFinite,
    exchange: Number.isSafeInteger,
    conditions: (value) => Array.isArray(value) && value.every(Number.isSafeInteger),
    tape: isOneOf('A', 'B', 'C', null),
    offExchange: isBoolean,
    timestamp: Number.isFinite,
    receivedAt: Number.isFinite,
    epoch: isString,
    offset: Number.isSafeInteger,
    sequence: Number.isSafeInteger,
    gapBefore: isBoolean,
  }),
  bar: defineCodec<Messages['bar']>({
    kind: isOneOf('bar'),
    symbol: isSymbolText,
    interval: isOneOf('SECOND', 'MINUTE'),
    open: Number.isFinite,
    high: Number.isFinite,
    low: Number.isFinite,
    close: Number.isFinite,
    volume: Number.isFinite,
    vwap: isNumberOrNull,
    start: Number.isFinite,
    end: Number.isFinite,
    dayOpen: isNumberOrNull,
    dayVolume: isNumberOrNull,
    dayVwap: isNumberOrNull,
    receivedAt: Number.isFinite,
    epoch: isString,
    offset: Number.isSafeInteger,
    sequence: Number.isSafeInteger,
    gapBefore: isBoolean,
  }),
  status: defineCodec<Messages['status']>({
    market: hasShape<Messages['status']['market']>({
      isOpen: isBoolean,
      session: isOneOf('PRE_MARKET', 'REGULAR', 'AFTER_HOURS', 'OVERNIGHT', 'CLOSED'),
      nextOpen: isNumberOrNull,
      nextClose: isNumberOrNull,
      holiday: isStringOrNull,
      timestamp: Number.isFinite,
    }),
    feed: hasShape<Messages['status']['feed']>({
      feed: isOneOf('LIVE', 'DELAYED', 'SIMULATED', 'REPLAY'),
      connected: isBoolean,
      reason: isStringOrNull,
    }),
    problem: (value) => value === undefined || isStringOrNull(value),
    timestamp: Number.isFinite,
  }),
  demand: defineCodec<Messages['demand']>({ process: isString, counts: isCounts }),
  control: { encode: JSON.stringify, decode: decodeControl },
  writer: defineCodec<Messages['writer']>({ released: isString }),
  user: defineCodec<Messages['user']>({
    number: Number.isSafeInteger,
    notification: hasShape<Messages['user']['notification']>({ kind: isString, orderId: isString }),
  }),
  order: defineCodec<Messages['order']>({ id: isString }),
  revocation: { encode: JSON.stringify, decode: decodeRevocation },
};

export type Codec<T> = {
  readonly encode: (message: T) => string;
  /** `null` where the text is no such message. Never throws. */
  readonly decode: (text: string) => T | null;
};

type Check = (value: unknown) => boolean;
/** A check for every field, held complete by the compiler. */
type Shape<T> = { readonly [K in keyof Required<T>]: Check };

function defineCodec<T extends object>(shape: Shape<T>): Codec<T> {
  const fits = hasShape(shape);
  return {
    encode: JSON.stringify,
    decode: (text) => {
      const value = parseJson(text);
      return fits(value) ? (value as T) : null;
    },
  };
}

/** Written by hand and by other programs: `data` and its reason may be missing. */
function decodeControl(text: string): Messages['control'] | null {
  const message = parseJson(text);
  if (!isObject(message) || !isOneOf('pause', 'resume')(message['action'])) return null;
  const data = message['data'] ?? {};
  if (!isObject(data)) return null;
  const reason = data['reason'] ?? null;
  if (!isStringOrNull(reason)) return null;
  return { action: message['action'] as 'pause' | 'resume', data: { reason: reason as string | null } };
}

/** Written by other programs. */
function decodeRevocation(text: string): Messages['revocation'] | null {
  const message = parseJson(text);
  if (!isObject(message)) return null;
  const { token, key } = message;
  if (typeof token === 'string' && token !== '') return { token };
  return typeof key === 'string' && key !== '' ? { key } : null;
}

function hasShape<T extends object>(shape: Shape<T>): Check {
  const fields = Object.entries<Check>(shape);
  return (value) => {
    if (!isObject(value)) return false;
    for (const [field, check] of fields) if (!check(value[field])) return false;
    return true;
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isString(value: unknown): boolean {
  return typeof value === 'string';
}

function isStringOrNull(value: unknown): boolean {
  return value === null || typeof value === 'string';
}

function isSymbolText(value: unknown): boolean {
  return typeof value === 'string' && value.length > 0 && value.length <= 32;
}

function isBoolean(value: unknown): boolean {
  return typeof value === 'boolean';
}

function isNumberOrNull(value: unknown): boolean {
  return value === null || Number.isFinite(value);
}

function isOneOf(...values: readonly (string | null)[]): Check {
  return (value) => values.includes(value as string | null);
}

function isCounts(value: unknown): boolean {
  if (!isObject(value)) return false;
  for (const [symbol, count] of Object.entries(value)) {
    if (!isSymbolText(symbol) || !Number.isSafeInteger(count) || (count as number) < 0) return false;
  }
  return true;
}
