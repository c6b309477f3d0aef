import { type ReactNode, Suspense } from 'react';
import { PaneBoundary } from './pane-boundary.tsx';

/** A part of the workspace with a name of its own. */
export function Pane({
  name,
  className = '',
  children,
}: {
  readonly name: string;
  readonly className?: string;
  readonly children: ReactNode;
}) {
  return (
    <section className={`pane ${className}`} aria-label={name}>
      <PaneBoundary name={name}>
        <Suspense fallback={<PaneSkeleton />}>{children}</Suspense>
      </PaneBoundary>
    </section>
  );
}

function PaneSkeleton() {
  return (
    <div className="pane-skeleton" aria-hidden="true">
      <div className="skeleton" />
      <div className="skeleton" />
      <div className="skeleton" />
    </div>
  );
}
