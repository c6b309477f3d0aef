import SchemaBuilder from '@pothos/core';
import { ClientError } from '../errors.ts';
import { decodeCursor, encodeCursor, type LogPosition } from '../market/log.ts';
import { parseSymbol } from '../market/symbol.ts';
import type { SchemaContext } from './context.ts';

export const builder = new SchemaBuilder<{
  Context: SchemaContext;
  DefaultFieldNullability: false;
  Scalars: {
    /** Unix ms inside, RFC 3339 outside. */
    DateTime: { Input: number; Output: number };
    Symbol: { Input: string; Output: string };
    Cursor: { Input: LogPosition; Output: LogPosition };
    /** A text of digits on both sides: it is never a double. */
    Decimal: { Input: string; Output: string };
  };
}>({ defaultFieldNullability: false });

builder.queryType({
  description: 'Reads of the current state: answered from the cache, and from the upstream on a miss.',
});
builder.mutationType({ description: "What changes the viewer's own." });
builder.subscriptionType({
  description:
    'Live streams. State (quotes, statuses) comes current first and then at each change; a reader that is behind skips to the newest. ' +
    'Logs (trades, bars) come whole and in order, each result with its cursor in `extensions.cursor`; a reader that falls too far behind is ended with SLOW_CONSUMER.',
});

// RFC 3339 with a zone: a time without one would mean another instant on every machine.
const DATE_TIME = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/;

builder.scalarType('DateTime', {
  description:
    'An instant: RFC 3339, in UTC, with milliseconds, such as `2026-11-20T14:30:00.000Z`. As input any zone is accepted.',
  serialize: (value) => new Date(value).toISOString(),
  parseValue: (value) => {
    const time = typeof value === 'string' && DATE_TIME.test(value) ? Date.parse(value) : Number.NaN;
    if (Number.isNaN(time)) throw badInput(value, 'no RFC 3339 time such as 2026-11-20T14:30:00Z');
    return time;
  },
});

builder.scalarType('Symbol', {
  description:
    'A ticker symbol: 1 to 32 of `A-Z 0-9 . - : /` after trimming and upper-casing, such as `AAPL`, `BRK.B`, `I:SPX` (an index) or `O:AAPL261218C00250000` (an option).',
  serialize: (value) => value,
  parseValue: (value) => {
    const symbol = typeof value === 'string' ? parseSymbol(value) : null;
    if (symbol === null) throw badInput(value, 'no symbol: 1 to 32 of A-Z 0-9 . - : /');
    return symbol;
  },
});

builder.scalarType('Cursor', {
  description: 'A place in the event log, opaque. One cursor serves any set of symbols.',
  serialize: (value) => encodeCursor(value),
  parseValue: (value) => {
    const position = typeof value === 'string' ? decodeCursor(value) : null;
    if (position === null) throw badInput(value, 'no cursor of this service');
    return position;
  },
});

// Longer ones than any amount are refused before anything is worked out with them.
const DECIMAL = /^-?\d{1,20}(\.\d{1,12})?$/;

builder.scalarType('Decimal', {
  description: 'An exact decimal number as text, such as "10250.37". As input whole numbers are accepted as well.',
  serialize: (value) => value,
  parseValue: (value) => {
    const text = Number.isSafeInteger(value) ? String(value) : value;
    if (typeof text !== 'string' || !DECIMAL.test(text)) throw badInput(value, 'no decimal text such as "10250.37"');
    return text;
  },
});

function badInput(value: unknown, problem: string): ClientError {
  const shown =
    typeof value === 'string'
      ? JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
      : `This ${typeof value}`;
  return new ClientError('BAD_USER_INPUT', `${shown} is ${problem}`);
}

/**
 * Distinct symbols of a `symbols` argument, within the limit.
 * @throws {ClientError} TOO_MANY_SYMBOLS with `limit`; BAD_USER_INPUT where there is none
 */
export function checkSymbols(symbols: readonly string[], context: SchemaContext): readonly string[] {
  const { maxSymbols: limit } = context.limits;
  if (symbols.length === 0) {
    throw new ClientError('BAD_USER_INPUT', 'Argument "symbols": at least one symbol is needed', {
      argument: 'symbols',
    });
  }
  if (symbols.length > limit) {
    throw new ClientError(
      'TOO_MANY_SYMBOLS',
      `At most ${limit} symbols can be asked for at a time; these were ${symbols.length}.`,
      {
        limit,
      },
    );
  }
  return [...new Set(symbols)];
}

/** A whole number argument within bounds. @throws {ClientError} BAD_USER_INPUT naming the argument */
export function checkCount(argument: string, value: number, max: number): number {
  if (value >= 1 && value <= max) return value;
  throw new ClientError('BAD_USER_INPUT', `Argument "${argument}": must be from 1 to ${max}`, { argument });
}
