import { type ReactNode, useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { useTape } from '../tape-client.tsx';
import { TapeFeed } from './tape-feed.ts';
import { TapeList } from './tape-list.tsx';
import { useTapeHold } from './use-tape-hold.ts';
import './time-and-sales.css';

/** Every print as it is reported, newest first. `symbol`: `null` while none is settled on. */
export function TimeAndSales({ symbol }: { readonly symbol: string | null }) {
  const client = useTape();
  const [feed, setFeed] = useState<TapeFeed | null>(null);
  useEffect(() => {
    setFeed(null);
    if (symbol === null) return;
    const opened = new TapeFeed(client, symbol);
    opened.open();
    setFeed(opened);
    return opened.close;
  }, [client, symbol]);
  if (feed === null || symbol === null) {
    return (
      <section className="tape" aria-label="Time and sales">
        <TapeTitle />
        <TapeSkeleton />
      </section>
    );
  }
  return <Tape key={symbol} feed={feed} symbol={symbol} />;
}

function Tape({ feed, symbol }: { readonly feed: TapeFeed; readonly symbol: string }) {
  const { log, isLoading, failure } = useSyncExternalStore(feed.watch, feed.getState);
  const { hold, isPaused, news, setPaused, setHovered, setScrolled, release } = useTapeHold(log);
  const scroller = useRef<HTMLDivElement>(null);
  const isEmpty = log.end === log.first;
  return (
    <section className="tape" aria-label={`Time and sales of ${symbol}`} data-held={hold !== null}>
      <TapeTitle>
        {news > 0 ? (
          <button
            type="button"
            className="tape-news num"
            onClick={() => {
              scroller.current?.scrollTo({ top: 0 });
              release();
            }}
          >
            {news} new ↑
          </button>
        ) : null}
        {isEmpty ? null : (
          <button type="button" className="symbol-button" aria-pressed={isPaused} onClick={() => setPaused(!isPaused)}>
            {isPaused ? 'Resume' : 'Pause'}
          </button>
        )}
      </TapeTitle>
      {isEmpty ? (
        <Absence isLoading={isLoading} failure={failure} symbol={symbol} onRetry={feed.open} />
      ) : (
        <TapeList log={log} end={hold ?? log.end} scroller={scroller} onHover={setHovered} onScrolled={setScrolled} />
      )}
      {!isEmpty && failure !== null ? <p className="tape-note">{failure}</p> : null}
    </section>
  );
}

function TapeTitle({ children }: { readonly children?: ReactNode }) {
  return (
    <div className="tape-title">
      <h3>Time and sales</h3>
      {children}
    </div>
  );
}

function Absence({
  isLoading,
  failure,
  symbol,
  onRetry,
}: {
  readonly isLoading: boolean;
  readonly failure: string | null;
  readonly symbol: string;
  readonly onRetry: () => void;
}) {
  if (isLoading) return <TapeSkeleton />;
  if (failure !== null) {
    return (
      <div className="tape-absence" role="alert">
        <p>{failure}</p>
        <button type="button" className="symbol-button" onClick={onRetry}>
          Try again
        </button>
      </div>
    );
  }
  return (
    <p className="tape-absence">
      {symbol.startsWith('I:')
        ? 'An index is not traded: it has no prints.'
        : 'No prints yet. They appear here as they are reported.'}
    </p>
  );
}

function TapeSkeleton() {
  return (
    <div className="tape-skeleton" role="status" aria-label="Loading prints">
      {Array.from({ length: 8 }, (_, index) => (
        <div key={index} className="skeleton" />
      ))}
    </div>
  );
}
