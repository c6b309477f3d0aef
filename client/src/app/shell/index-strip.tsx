import { useQuery } from 'urql';
import { graphql } from '../../gql/gql.ts';
import { Change } from '../format/change.tsx';
import { formatPrice } from '../format/price.ts';
import { useQuote } from '../market/quotes.ts';

const Indices = graphql(`
  query Indices {
    indices {
      symbol
    }
  }
`);

/** By which they are known; another is shown by its symbol. */
const NAMES: Readonly<Record<string, string>> = {
  'I:SPX': 'S&P 500',
  'I:COMP': 'Nasdaq',
  'I:DJI': 'Dow',
  'I:VIX': 'VIX',
  'I:NDX': 'Nasdaq 100',
  'I:RUT': 'Russell 2000',
};

export function IndexStrip() {
  const [{ data }] = useQuery({ query: Indices });
  if (data === undefined || data.indices.length === 0) return null;
  return (
    <ul className="index-strip" aria-label="Indices">
      {data.indices.map(({ symbol }) => (
        <IndexValue key={symbol} symbol={symbol} />
      ))}
    </ul>
  );
}

function IndexValue({ symbol }: { readonly symbol: string }) {
  const quote = useQuote(symbol);
  return (
    <li>
      <span className="index-name">{NAMES[symbol] ?? symbol}</span>
      <span className="num">{formatPrice(quote?.price)}</span>
      <Change percent={quote?.changePercent ?? null} />
    </li>
  );
}
