/**
 * The tape of some symbols, as a Node program with graphql-ws and generated types: a line for each print.
 *
 *     node examples/graphql-ws/tape.ts http://localhost:4000/graphql AAPL MSFT
 *
 * It goes on after an interruption with the print after the last one, and says so where some are lost. The types come from the
 * server's schema by `npm run codegen`: a field that the server does not have is an error before the program runs.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { print } from 'graphql';
import { createClient } from 'graphql-ws';
import { graphql } from './gql/gql.ts';
import type { TapeSubscription } from './gql/graphql.ts';

const Tape = graphql(`
  subscription Tape($symbols: [Symbol!]!) {
    trades(symbols: $symbols) {
      symbol
      sequence
      price
      size
      offExchange
      timestamp
    }
  }
`);

const [url, ...symbols] = process.argv.slice(2);
if (url === undefined || symbols.length === 0) {
  process.stderr.write('usage: node examples/graphql-ws/tape.ts URL SYMBOL...\n');
  process.exit(2);
}

const client = createClient({
  url: url.replace(/^http/, 'ws'),
  // Where somebody has to be signed in: connectionParams: { authorization: `Bearer ${token}` },
  keepAlive: 10_000,
  retryAttempts: Number.POSITIVE_INFINITY,
  shouldRetry: () => true,
  // Anything up to a bound that doubles: the clients of a server that went away do not come back all at once.
  retryWait: async (retries) => void (await sleep(Math.random() * Math.min(15_000, 500 * 2 ** retries))),
  on: { closed: () => process.stderr.write('the connection was closed\n') },
});

type Result = {
  readonly data?: TapeSubscription | null;
  readonly errors?: readonly { readonly message: string; readonly extensions?: Readonly<Record<string, unknown>> }[];
  readonly extensions?: { readonly cursor?: string };
};

/** What is sent, also after each reconnect: as it is then, with the place of the last print. */
const payload: { query: string; variables: { symbols: string[] }; extensions: { resumeFrom?: string } } = {
  query: print(Tape),
  variables: { symbols },
  extensions: {},
};

/** Runs until the server ends the operation; returns the code of the error with which it did. */
function follow(): Promise<unknown> {
  return new Promise((resolve, reject) => {
    client.subscribe<TapeSubscription, { cursor?: string }>(payload, {
      next: (result) => {
        const { data, extensions, errors } = result as Result;
        if (errors !== undefined) return fail(errors);
        if (extensions?.cursor !== undefined) payload.extensions.resumeFrom = extensions.cursor;
        if (data != null) process.stdout.write(`${JSON.stringify(data.trades)}\n`);
        return undefined;
      },
      error: (error) => (Array.isArray(error) ? fail(error as NonNullable<Result['errors']>) : reject(error as Error)),
      complete: () => resolve(null),
    });
    function fail(errors: NonNullable<Result['errors']>): void {
      process.stderr.write(`${errors[0]!.message}\n`);
      resolve(errors[0]!.extensions?.['code']);
    }
  });
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit());

for (;;) {
  const code = await follow();
  // The log no longer reaches back to the last print: from now on, with a hole before.
  if (code === 'HISTORY_EXPIRED') delete payload.extensions.resumeFrom;
  else if (code !== 'SLOW_CONSUMER' && code !== 'RATE_LIMITED' && code !== null) break;
  await sleep(1000);
}
process.exit(1);
