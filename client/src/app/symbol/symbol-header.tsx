import { useEffect, useRef } from 'react';
import { useQuery } from 'urql';
import { Change } from '../format/change.tsx';
import { formatPrice, UNKNOWN } from '../format/price.ts';
import { formatQuantity, formatVolume } from '../format/quantity.ts';
import { formatTime } from '../format/time.ts';
import { type LiveQuote, useQuote } from '../market/quotes.ts';
import { flash } from '../theme/flash.ts';
import { DayRange } from './day-range.tsx';
import { Nbbo } from './nbbo.tsx';
import { InstrumentName } from './operations.ts';
import './symbol-header.css';

/** What is known of the symbol now: its last price, the best bid and offer, and the day so far. */
export function SymbolHeader({ symbol }: { readonly symbol: string }) {
  const quote = useQuote(symbol);
  const name = useInstrumentName(symbol);
  const isUnknown = name === null && quote === undefined;
  const words = isUnknown ? 'Nothing is known of it' : name;
  return (
    <header className="symbol-header">
      <div className="symbol-title">
        <h2>{symbol}</h2>
        {words === undefined || words === null ? null : <span className="symbol-name">{words}</span>}
        {quote?.stale === true ? <StaleMark timestamp={quote.timestamp} /> : null}
      </div>
      <div className="symbol-last">
        {isUnknown ? <strong className="symbol-price">{UNKNOWN}</strong> : <LastPrice key={symbol} quote={quote} />}
        {quote === undefined ? null : <Change value={quote.change} percent={quote.changePercent} />}
      </div>
      <Nbbo quote={quote} />
      <DayRange quote={quote} />
      <dl className="symbol-figures">
        <Figure name="Open" value={formatPrice(quote?.open)} />
        <Figure name="Prev close" value={formatPrice(quote?.previousClose)} />
        <Figure name="VWAP" value={formatPrice(quote?.vwap)} />
        <Figure
          name="Volume"
          value={formatVolume(quote?.volume)}
          {...(quote === undefined ? {} : { title: `${formatQuantity(quote.volume)} shares` })}
        />
      </dl>
    </header>
  );
}

function LastPrice({ quote }: { readonly quote: LiveQuote | undefined }) {
  const element = useRef<HTMLElement>(null);
  const price = quote?.price;
  const shown = useRef(price);
  useEffect(() => {
    const before = shown.current;
    shown.current = price;
    if (before === undefined || price === undefined || before === price || element.current === null) return;
    flash(element.current, price > before ? 'up' : 'down');
  }, [price]);
  if (price === undefined) return <span className="skeleton symbol-price-skeleton" />;
  return (
    <strong className="symbol-price num" ref={element} data-testid="last-price">
      {formatPrice(price)}
    </strong>
  );
}

function Figure({ name, value, title }: { readonly name: string; readonly value: string; readonly title?: string }) {
  return (
    <div className="symbol-figure" title={title}>
      <dt>{name}</dt>
      <dd className="num">{value}</dd>
    </div>
  );
}

function StaleMark({ timestamp }: { readonly timestamp: string }) {
  return (
    <span className="symbol-stale" title="Its source is silent or cannot be reached: this is what was known last">
      Stale since {formatTime(timestamp)}
    </span>
  );
}

/** `undefined` until it is answered, and where it has none; `null` where there is no such symbol. It does not change while somebody looks. */
function useInstrumentName(symbol: string): string | null | undefined {
  const [{ data, fetching }] = useQuery({ query: InstrumentName, variables: { symbol }, requestPolicy: 'cache-first' });
  if (data == null || fetching) return undefined;
  const found = data.instruments.find((instrument) => instrument.symbol === symbol);
  return found === undefined ? null : (found.name ?? undefined);
}
