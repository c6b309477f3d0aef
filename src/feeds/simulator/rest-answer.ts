import type { Index, Instrument } from './instrument.ts';
import type { Tape } from './tape.ts';

/** What a REST handler knows of its request. */
export type RestRequest = {
  readonly tape: Tape;
  /** Unix ms. */
  readonly now: number;
  /** The variable parts of the path, decoded. */
  readonly parts: readonly string[];
  /** Of a following page: as it was of the first one. */
  readonly query: URLSearchParams;
  /** Where the following page begins; `null`: this is the first. */
  readonly position: number | null;
  /** The address of a following page, without the key. */
  nextUrl(position: number): string;
};

/** An answer other than 200. */
export class RestError extends Error {
  override readonly name = 'RestError';
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;

  constructor(status: number, body: Readonly<Record<string, unknown>>) {
    super(`REST ${status}`);
    this.status = status;
    this.body = body;
  }
}

export function notFound(message: string): RestError {
  return new RestError(404, { status: 'NOT_FOUND', message });
}

export function badRequest(error: string): RestError {
  return new RestError(400, { status: 'ERROR', error });
}

export function findInstrument(request: RestRequest, symbol: string): Instrument {
  const instrument = request.tape.market.findInstrument(symbol);
  if (instrument === undefined) throw notFound('Ticker not found.');
  return instrument;
}

export function isIndexItem(item: Instrument | Index): item is Index {
  return 'members' in item;
}

/** A whole number of the query within bounds; beyond the upper bound it is an error, as the vendor has it. */
export function readLimit(request: RestRequest, fallback: number, max: number): number {
  const text = request.query.get('limit');
  if (text === null) return fallback;
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > max) {
    throw badRequest(`'limit' must be a whole number of 1 to ${max}`);
  }
  return limit;
}

export function readOrder(request: RestRequest, name: 'order' | 'sort', fallback: 'asc' | 'desc'): 'asc' | 'desc' {
  const text = request.query.get(name) ?? fallback;
  if (text !== 'asc' && text !== 'desc') throw badRequest(`'${name}' must be asc or desc`);
  return text;
}

/** Cuts the noise of binary fractions that differences of prices lay bare. */
export function round(value: number, decimals: number): number {
  const scale = 10 ** decimals;
  return Math.round(value * scale) / scale;
}
