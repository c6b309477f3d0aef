import { Component, type ErrorInfo, type ReactNode } from 'react';

type Props = { readonly name: string; readonly children: ReactNode };

/** A view that fails takes none of the others with it, and can be begun anew. */
export class PaneBoundary extends Component<Props, { readonly error: Error | null }> {
  override state: { readonly error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error): { readonly error: Error } {
    return { error };
  }

  override componentDidCatch(error: Error, info: ErrorInfo): void {
    reportError(new Error(`${this.props.name} failed${info.componentStack ?? ''}`, { cause: error }));
  }

  override render(): ReactNode {
    if (this.state.error === null) return this.props.children;
    return (
      <div className="shell-failure" role="alert">
        <p>
          <strong>{this.props.name} could not be shown.</strong>
        </p>
        <p>{this.state.error.message}</p>
        <button type="button" className="shell-button" onClick={() => this.setState({ error: null })}>
          Try again
        </button>
      </div>
    );
  }
}
