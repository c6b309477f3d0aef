import { useEffect } from 'react';
import { formatPercent, formatPrice } from '../format/price.ts';
import { useQuote } from '../market/quotes.ts';

/** The price in the tab of the browser, for who looks elsewhere. */
export function Title({ symbol }: { readonly symbol: string }) {
  const quote = useQuote(symbol);
  const title =
    quote === undefined ? 'TapeQL' : `${symbol} ${formatPrice(quote.price)} ${formatPercent(quote.changePercent)}`;
  useEffect(() => {
    document.title = title;
  }, [title]);
  return null;
}
