import type { LiveDocument } from './live-document.ts';
import type { PolledOperation } from './polled-operation.ts';
import { createPolledQuery } from './polled-query.ts';

/** A state: the newest counts, and only where it differs from what was had last. */
export function createPolledState(
  { first, field }: LiveDocument,
  name: string,
  asked: Readonly<Record<string, { name: string; type: string }>>,
  variables: Record<string, unknown>,
): PolledOperation {
  const { selectionSet } = field;
  const document = createPolledQuery(first, [{ alias: 'polled', name, variables: asked, selectionSet }]);
  /** By the place in a list, as it was written. */
  let had: string[] = [];
  const forget = (): void => {
    had = [];
  };
  return {
    readRequests: () => [{ document, variables }],
    readRound: ([answer]) => {
      const values = [answer?.['polled']].flat();
      const entries = values.flatMap((entry, index) => {
        const text = JSON.stringify(entry);
        if (entry == null || had[index] === text) return [];
        had[index] = text;
        return [{ entry, isAfterGap: false }];
      });
      return { entries, place: null };
    },
    take: () => {
      // What events told since is newer: the next query counts anew.
      if (had.length > 0) forget();
      return true;
    },
    forget,
  };
}
