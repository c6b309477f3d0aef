import { ResumePoint } from '../delivery/resume.ts';
import type { SchemaContext, SharedContext } from '../schema/context.ts';

/**
 * What resolvers are given for results that are shared by all who select the same. It knows no viewer: a field that asks for one, but
 * is not marked as depending on it, would tell everybody what it worked out for whoever came first. So it fails, each time.
 */
export function createSharedContext(context: SharedContext): SchemaContext {
  const shared: SchemaContext = {
    ...context,
    viewer: null,
    session: null,
    resume: new ResumePoint({}),
    running: { subscription: null },
  };
  // Enumerable, so that a copy fails as well, and is not taken for the context of somebody unknown.
  return Object.defineProperty(shared, 'viewer', {
    enumerable: true,
    get() {
      throw new Error(
        'a result that is shared depends on the viewer: mark the field that asks for it with `extensions: { viewer: true }`',
      );
    },
  });
}
