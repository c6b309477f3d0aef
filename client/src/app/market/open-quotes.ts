import type { TapeClient } from '../../graphql/tape-client.ts';
import { LiveQuotes } from './quote-document.ts';
import type { OpenQuotes } from './quote-store.ts';

/** Quotes as the server streams them. What it refuses for now the client asks again by itself. */
export function openQuotesBy(client: TapeClient): OpenQuotes {
  return (symbols, sink) => {
    const running = client.subscription(LiveQuotes, { symbols: [...symbols] }).subscribe(({ data, error }) => {
      if (data?.quoteUpdates) return sink.next(data.quoteUpdates);
      if (error === undefined) return;
      const refusal = error.graphQLErrors[0];
      if (refusal?.extensions['code'] === 'TOO_MANY_SYMBOLS') return sink.limit(Number(refusal.extensions['limit']));
      sink.fail(refusal?.message ?? error.message);
    });
    return () => running.unsubscribe();
  };
}
