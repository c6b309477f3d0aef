import { useQuery } from 'urql';
import { WhoAmI } from './operations.ts';

/** Who looks at this page, as far as is known. */
export type ViewerState =
  | { readonly kind: 'loading' }
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'failed' }
  | { readonly kind: 'signed-in'; readonly id: string; readonly canRead: boolean; readonly canTrade: boolean };

/** Asked once: the page is loaded anew to sign in as somebody else. */
export function useViewer(): ViewerState {
  const [{ data, error }] = useQuery({ query: WhoAmI, requestPolicy: 'cache-first' });
  if (data?.viewer != null) {
    const { id, scopes } = data.viewer;
    return { kind: 'signed-in', id, canRead: scopes.includes('portfolio:read'), canTrade: scopes.includes('trade') };
  }
  if (data !== undefined) return { kind: 'anonymous' };
  return { kind: error === undefined ? 'loading' : 'failed' };
}
