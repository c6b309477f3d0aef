import { useEffect, useState } from 'react';
import type { TypedDocumentNode } from 'urql';
import { useTape } from '../tape-client.tsx';

/** The newest that a subscription to a state brought: what is refused or interrupted leaves the last one standing. */
export function useLatest<Data>(document: TypedDocumentNode<Data, Record<string, never>>): Data | null {
  const client = useTape();
  const [latest, setLatest] = useState<Data | null>(null);
  useEffect(() => {
    const running = client.subscription(document, {}).subscribe(({ data }) => {
      if (data !== undefined && data !== null) setLatest(data);
    });
    return () => running.unsubscribe();
  }, [client, document]);
  return latest;
}
