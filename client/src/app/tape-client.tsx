import { createContext, type ReactNode, useContext } from 'react';
import { Provider } from 'urql';
import { createTapeClient, type TapeClient } from '../graphql/tape-client.ts';
import { openQuotesBy } from './market/open-quotes.ts';
import { createQuoteStore, type QuoteStore } from './market/quote-store.ts';

/** What the page has of the server: one connection, and what is kept of its streams outside React. */
type Tape = { readonly client: TapeClient; readonly quotes: QuoteStore };

const TapeContext = createContext<Tape | null>(null);

/** Nothing is opened before something is asked for. `token`: who looks, or `null`: anyone. */
export function createTape({ url, token }: { readonly url: string; readonly token: string | null }): Tape {
  const client = createTapeClient({ url, token });
  return { client, quotes: createQuoteStore({ open: openQuotesBy(client) }) };
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

function useTapeContext(): Tape {
  const tape = useContext(TapeContext);
  if (tape === null) throw new Error('This component stands outside of TapeProvider');
  return tape;
}
