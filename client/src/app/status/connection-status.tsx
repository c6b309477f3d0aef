import { useSyncExternalStore } from 'react';
import type { TapeStatusStore } from '../../graphql/tape-status.ts';
import { describeConnection } from './status-words.ts';
import './status.css';

/** In words, beside a dot that only repeats them. */
export function ConnectionStatus({ store }: { readonly store: TapeStatusStore }) {
  const { word, sentence, tone } = describeConnection(useSyncExternalStore(store.subscribe, store.getSnapshot));
  return (
    <span className={`connection connection-${tone}`} role="status" title={sentence}>
      <span className="connection-dot" aria-hidden="true" />
      <span className="visually-hidden">Connection: </span>
      {word}
    </span>
  );
}
