import { graphql } from '../../gql/gql.ts';
import type { TapeClient } from '../../graphql/tape-client.ts';
import type { Spark } from './spark-store.ts';

const SparkBars = graphql(`
  query SparkBars($symbol: Symbol!, $from: DateTime!) {
    bars(symbol: $symbol, interval: MINUTE, from: $from, first: 150) {
      close
    }
  }
`);

const SPAN_MS = 2 * 3600_000;

/** The closes of the last two hours' minutes. */
export function fetchClosesBy(client: TapeClient, now: () => number): (symbol: string) => Promise<Spark> {
  return async (symbol) => {
    const from = new Date(now() - SPAN_MS).toISOString();
    const { data, error } = await client.query(SparkBars, { symbol, from }).toPromise();
    if (data === undefined) throw error ?? new Error(`There are no bars of ${symbol}`);
    return data.bars.map(({ close }) => close);
  };
}
