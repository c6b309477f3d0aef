import { useState, useSyncExternalStore } from 'react';
import type { TapeStatus, TapeStatusStore } from '../../graphql/tape-status.ts';
import { formatSpan, formatTime } from '../format/time.ts';
import { recall, remember } from '../remembered.ts';
import type { ServiceStatus } from './status-documents.ts';
import { describeConnection, describeService, type Notice } from './status-words.ts';
import { useNow } from './use-now.ts';
import './status.css';

/** A notice that only informs is read once. */
const DISMISSED = { name: 'notice-dismissed', version: 1 } as const;

/** What must be known before a price is believed: the server that is away first, then what it said of itself. */
export function Banner({
  service,
  store,
}: {
  readonly service: ServiceStatus | null;
  readonly store: TapeStatusStore;
}) {
  const status = useSyncExternalStore(store.subscribe, store.getSnapshot);
  const [dismissed, setDismissed] = useState(() =>
    recall(DISMISSED, (value) => (typeof value === 'string' ? value : null)),
  );
  const isAway = status.state === 'offline' || (status.state === 'resuming' && status.failures > 1);
  const said = service === null ? null : describeService(service);
  const notice = said !== null && said.tone === 'information' && said.title === dismissed ? null : said;
  const dismiss = (title: string): void => {
    remember(DISMISSED, title);
    setDismissed(title);
  };
  return (
    <div role="status" aria-label="Service">
      {isAway ? (
        <AwayNotice status={status} onRetry={store.retryNow} />
      ) : status.state === 'polling' ? (
        <PollingNotice onRetry={store.retryNow} />
      ) : notice === null ? null : (
        <ServiceNotice notice={notice} onDismiss={dismiss} />
      )}
    </div>
  );
}

function AwayNotice({ status, onRetry }: { readonly status: TapeStatus; readonly onRetry: () => void }) {
  const now = useNow(status.retryAt !== null);
  const { sentence } = describeConnection({ state: 'offline', isRefused: status.isRefused });
  return (
    <div className="banner banner-bad">
      <p>
        <strong>{sentence}</strong> Prices stand still since <span className="num">{formatTime(status.since)}</span>.
        {/* Not told again every second to who listens. */}
        {status.retryAt === null || status.retryAt <= now ? null : (
          <span aria-hidden="true"> Trying again in {formatSpan(status.retryAt - now)}.</span>
        )}
      </p>
      <button type="button" onClick={onRetry}>
        Try now
      </button>
    </div>
  );
}

function PollingNotice({ onRetry }: { readonly onRetry: () => void }) {
  return (
    <div className="banner banner-warning">
      <p>
        <strong>Prices come every 2 seconds.</strong> No stream comes through to this page: the server is asked instead.
      </p>
      <button type="button" onClick={onRetry}>
        Try now
      </button>
    </div>
  );
}

function ServiceNotice({
  notice,
  onDismiss,
}: {
  readonly notice: Notice;
  readonly onDismiss: (title: string) => void;
}) {
  return (
    <div className={`banner banner-${notice.tone}`}>
      <p>
        <strong>{notice.title}.</strong> {notice.text}
      </p>
      {notice.tone === 'information' ? (
        <button type="button" onClick={() => onDismiss(notice.title)}>
          Got it
        </button>
      ) : null}
    </div>
  );
}
