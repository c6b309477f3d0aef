/**
 * The same by Apollo Client in Node: a query for the quotes, then the tape by subscription, a line for each.
 *
 *     node examples/apollo-client/tape.ts http://localhost:4000/graphql AAPL MSFT
 *
 * Queries go over HTTP, subscriptions over a WebSocket. A link of a few lines makes each log go on after the last cursor that it
 * was given; it knows nothing of the documents, and can be taken over as it is.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { CombinedGraphQLErrors } from '@apollo/client/errors';
import { OperationTypeNode } from 'graphql';
import { createClient } from 'graphql-ws';
import { map, retry, throwError, timer } from 'rxjs';

const [url, ...symbols] = process.argv.slice(2);
if (url === undefined || symbols.length === 0) {
  process.stderr.write('usage: node examples/apollo-client/tape.ts URL SYMBOL...\n');
  process.exit(2);
}

/** What the server may end a log with, and a client comes back from. */
const PASSING = new Set<unknown>(['SLOW_CONSUMER', 'RATE_LIMITED', 'HISTORY_EXPIRED']);

/** Sends each log on after its last cursor: after a reconnect, which graphql-ws makes, and after an error that passes. */
const resumeLink = new ApolloLink((operation, forward) => {
  // graphql-ws sends an operation again as it was given: what is written here is sent the next time.
  const place: { resumeFrom?: string } = {};
  operation.extensions = place;
  return forward(operation).pipe(
    map((result) => {
      const errors = 'errors' in result ? result.errors : undefined;
      // Told before it began, or at its end: the same to who has to come back.
      if (errors !== undefined && result.data == null) throw new CombinedGraphQLErrors(result);
      const cursor: unknown = result.extensions?.['cursor'];
      if (typeof cursor === 'string') place.resumeFrom = cursor;
      return result;
    }),
    retry({
      delay: (error: unknown) => {
        const code = CombinedGraphQLErrors.is(error) ? error.errors[0]?.extensions?.['code'] : undefined;
        if (!PASSING.has(code)) return throwError(() => error);
        // The log no longer reaches back so far: from now on, with a hole before.
        if (code === 'HISTORY_EXPIRED') {
          process.stderr.write('some prints are lost\n');
          delete place.resumeFrom;
        }
        return timer(1000);
      },
    }),
  );
});

const webSockets = createClient({
  url: url.replace(/^http/, 'ws'),
  // Where somebody has to be signed in: connectionParams: { authorization: `Bearer ${token}` },
  keepAlive: 10_000,
  retryAttempts: Number.POSITIVE_INFINITY,
  shouldRetry: () => true,
  retryWait: async (retries) => void (await sleep(Math.random() * Math.min(15_000, 500 * 2 ** retries))),
  on: { closed: () => process.stderr.write('the connection was closed\n') },
});

const client = new ApolloClient({
  cache: new InMemoryCache(),
  link: ApolloLink.split(
    ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
    ApolloLink.from([resumeLink, new GraphQLWsLink(webSockets)]),
    new HttpLink({ uri: url }),
  ),
});

type Quotes = { quotes: ({ symbol: string; price: number } | null)[] };
type Tape = { trades: { symbol: string; sequence: number; price: number; size: number } };

const { data, error: refusal } = await client.query<Quotes>({
  query: gql`
    query Quotes($symbols: [Symbol!]!) {
      quotes(symbols: $symbols) {
        symbol
        price
      }
    }
  `,
  variables: { symbols },
  // A price that was kept is a wrong price.
  fetchPolicy: 'no-cache',
  errorPolicy: 'all',
});
if (refusal !== undefined) {
  process.stderr.write(`${refusal.message}\n`);
  process.exit(1);
}
process.stdout.write(`${JSON.stringify(data?.quotes)}\n`);

client
  .subscribe<Tape>({
    query: gql`
      subscription Tape($symbols: [Symbol!]!) {
        trades(symbols: $symbols) {
          symbol
          sequence
          price
          size
        }
      }
    `,
    variables: { symbols },
    // Each print is one of its own: a cache would keep them all.
    fetchPolicy: 'no-cache',
  })
  .subscribe(({ data: entry, error }) => {
    if (entry !== undefined) process.stdout.write(`${JSON.stringify(entry.trades)}\n`);
    if (error === undefined) return;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  });

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit());
