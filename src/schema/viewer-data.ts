import type { Scope, Viewer } from '../access/viewer.ts';
import { ClientError } from '../errors.ts';
import type { SchemaContext } from './context.ts';

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
