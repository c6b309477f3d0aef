import { createContext, type ReactNode, useContext } from 'react';
import { Provider } from 'urql';
import { systemClock } from '../graphql/clock.ts';
import { createTapeClient, type TapeClient } from '../graphql/tape-client.ts';
import { openQuotesBy } from './market/open-quotes.ts';
import { createQuoteStore, type QuoteStore } from './market/quote-store.ts';
import { createSparkStore, type SparkStore } from './market/spark-store.ts';
import { fetchClosesBy } from './market/fetch-closes.ts';

/** What the page has of the server: one connection, and what is kept of its streams outside React. */
type Tape = { readonly client: TapeClient; readonly quotes: QuoteStore; readonly sparks: SparkStore };

const TapeContext = createContext<Tape | null>(null);

/** Nothing is opened before something is asked for. `token`: who looks, or `null`: anyone. */
export function createTape({ url, token }: { readonly url: string; readonly token: string | null }): Tape {
  const client = createTapeClient({ url, token });
  const quotes = createQuoteStore({ open: openQuotesBy(client), clock: systemClock });
  const fetchCloses = fetchClosesBy(client, systemClock.now);
  return { client, quotes, sparks: createSparkStore({ fetchCloses, readQuote: quotes.read, clock: systemClock }) };
}

/** Gives the client to urql's hooks and to `useTape`. */
export function TapeProvider({ tape, children }: { readonly tape: Tape; readonly children: ReactNode }) {
  return (
    <TapeContext value={tape}>
      <Provider value={tape.client}>{children}</Provider>
    </TapeContext>
  );
}

/** The urql client, with its status store. */
export function useTape(): TapeClient {
  return useTapeContext().client;
}

export function useQuoteStore(): QuoteStore {
  return useTapeContext().quotes;
}

export function useSparkStore(): SparkStore {
  return useTapeContext().sparks;
}

function useTapeContext(): Tape {
  const tape = useContext(TapeContext);
  if (tape === null) throw new Error('This component stands outside of TapeProvider');
  return tape;
}
