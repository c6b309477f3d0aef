import { parseArgs } from 'node:util';

export type WatchOptions = {
  readonly symbols: readonly string[];
  readonly url: string;
  readonly quotes: boolean;
  readonly trades: boolean;
  readonly bars: boolean;
  /** Quotes per second and symbol at the most; `null`: as the output suits. */
  readonly maxRateHz: number | null;
  readonly json: boolean;
  /** How long to wait for the first market data; `null`: as long as it takes. */
  readonly timeoutMs: number | null;
};

/** What was typed cannot be meant; the message says why. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const DEFAULT_SYMBOLS = ['AAPL', 'MSFT', 'NVDA', 'AMZN', 'TSLA', 'SPY'];
const DEFAULT_URL = 'http://localhost:4000/graphql';

export const HELP = `Watch live quotes and trades in the terminal.

  npm run watch -- [SYMBOL...] [options]

  SYMBOL...            what to watch (default: ${DEFAULT_SYMBOLS.join(' ')})
  --url URL            the GraphQL endpoint (default: ${DEFAULT_URL})
  --no-quotes          without quotes
  --no-trades          without trades
  --bars               with one-second bars
  --max-rate HZ        at most so many quotes per second and symbol
  --json               one JSON object per line
  --timeout SECONDS    give up, with status 1, where no market data came within this time (default: never)
  --help               this text

In a terminal this is a table that is repainted in place; into a pipe or a file, one line per event. What concerns the
connection goes to stderr. Ctrl-C ends it.
`;

/**
 * Reads the command line.
 * @returns the options, or `'help'` where that was asked for
 * @throws {UsageError} for what cannot be meant
 */
export function readOptions(args: readonly string[]): WatchOptions | 'help' {
  const { values, positionals } = parse(args);
  if (values.help === true) return 'help';
  const { url = DEFAULT_URL, quotes = true, trades = true, bars = false, json = false } = values;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new UsageError(`--url: "${url}" is no http or https URL`);
  }
  if (!quotes && !trades && !bars) throw new UsageError('nothing is left to watch: no quotes, no trades, no bars');
  const typed = positionals.flatMap((text) => text.split(',')).filter((text) => text.trim() !== '');
  const timeoutSeconds = readNumber('--timeout', values.timeout, 86_400);
  return {
    // Whether it is a symbol is the server's to say; case and repetition are ours.
    symbols: [...new Set((typed.length > 0 ? typed : DEFAULT_SYMBOLS).map((text) => text.trim().toUpperCase()))],
    url,
    quotes,
    trades,
    bars,
    json,
    maxRateHz: readNumber('--max-rate', values['max-rate'], 1000),
    timeoutMs: timeoutSeconds === null ? null : timeoutSeconds * 1000,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      allowNegative: true,
      options: {
        url: { type: 'string' },
        quotes: { type: 'boolean' },
        trades: { type: 'boolean' },
        bars: { type: 'boolean' },
        'max-rate': { type: 'string' },
        json: { type: 'boolean' },
        timeout: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function readNumber(option: string, text: string | undefined, max: number): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (text.trim() !== '' && value > 0 && value <= max) return value;
  throw new UsageError(`${option}: "${text}" is no number above 0 and up to ${max}`);
}
