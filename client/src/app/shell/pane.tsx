import { type ReactNode, Suspense } from 'react';
import { PaneBoundary } from './pane-boundary.tsx';

/** A part of the workspace; what stands in it names it for who listens. */
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
    <div className={`pane ${className}`}>
      <PaneBoundary name={name}>
        <Suspense fallback={<PaneSkeleton />}>{children}</Suspense>
      </PaneBoundary>
    </div>
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
