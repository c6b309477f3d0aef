import type { Scope, Viewer } from '../access/viewer.ts';
import { ClientError } from '../errors.ts';
import type { SchemaContext } from './context.ts';

/**
 * Market data is asked for: each root field that tells of it begins with this. A rule of the whole field, such as a plugin's, would
 * stand in the way of each event, for whom it was worked out already that he may have it.
 * @throws {ClientError} as {@link viewerWith}
 */
export function assertMarketData(context: SchemaContext): void {
  if (context.viewer !== null || !context.anonymousMarketData) viewerWith('market:read', context);
}

/**
 * The viewer whose own data is asked for.
 * @throws {ClientError} UNAUTHENTICATED where nobody has signed in, FORBIDDEN where the credential lacks the scope
 */
export function viewerWith(scope: Scope, context: SchemaContext): Viewer {
  const { viewer } = context;
  if (viewer === null) throw new ClientError('UNAUTHENTICATED', 'This asks for a viewer: sign in.');
  if (!viewer.scopes.includes(scope)) {
    throw new ClientError('FORBIDDEN', `The scope "${scope}" is needed for this.`, { scope });
  }
  return viewer;
}
