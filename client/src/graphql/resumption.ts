import type { FormattedExecutionResult } from 'graphql-ws';

/** In `extensions.gap` of the first result after a hole in a log: what was between the two is lost to this reader. */
export type Gap = {
  /** The cursor of the last result before the hole; `null` where nothing had been read yet. */
  readonly after: string | null;
  /** How far the server's history reaches back; `null` where it did not say. */
  readonly oldestCursor: string | null;
};

export type Decision =
  /** Subscribe again after `delayMs`; `null`: after a delay of the caller's choice. `isShown`: the reader is told. */
  | { readonly action: 'restart'; readonly delayMs: number | null; readonly isShown: boolean }
  | { readonly action: 'end' };

type Errors = NonNullable<FormattedExecutionResult['errors']>;
type Variables = Record<string, unknown>;

/**
 * The memory of one subscription over its interruptions. A log's results carry their place in `extensions.cursor`; sent
 * again, the operation asks for what comes after the last one, by the variable of type Cursor that its document declares.
 * A state (quotes, statuses) has no cursor: it begins anew with the current one, which is all there is to know.
 */
export class Resumption {
  readonly #cursorVariable: string | null;
  #variables: Variables;
  #cursor: string | null = null;
  #gap: Gap | null = null;
  /** Whether the operation ran before, so that it has missed what happened since. */
  #hasRun = false;

  /** `cursorVariable`: the name of the document's variable of type Cursor, if it has one. */
  constructor(variables: Variables, cursorVariable: string | null) {
    this.#variables = variables;
    this.#cursorVariable = cursorVariable;
  }

  /** The variables with which to send the operation now; to be called once each time that it is sent. */
  readVariables(): Variables {
    const isInterrupted = this.#hasRun;
    this.#hasRun = true;
    const place = this.#cursor ?? this.#readAskedPlace();
    if (this.#cursorVariable !== null && place !== null) return { ...this.#variables, [this.#cursorVariable]: place };
    // A log that has no place to go on from begins anew: for want of a variable, or because it was interrupted before its
    // first result. What came in between is lost, and said to be.
    const isLog = this.#cursorVariable !== null || this.#cursor !== null;
    if (isInterrupted && isLog) this.#gap ??= { after: this.#cursor, oldestCursor: null };
    return this.#variables;
  }

  /** Remembers the place of a result, and marks the first one after a gap. */
  accept(result: FormattedExecutionResult): FormattedExecutionResult {
    const cursor = readText(result.extensions, 'cursor');
    if (cursor !== null) this.#cursor = cursor;
    if (this.#gap === null) return result;
    const marked = { ...result, extensions: { ...result.extensions, gap: this.#gap } };
    this.#gap = null;
    return marked;
  }

  /** What to do about errors with which the server ended the operation. */
  decide(errors: Errors): Decision {
    const { extensions } = errors[0] ?? {};
    switch (extensions?.['code']) {
      case 'SLOW_CONSUMER':
        // Nothing is lost: the log goes on from what was read last, or from where it began if nothing was.
        this.#cursor ??= readText(extensions, 'cursor');
        return { action: 'restart', delayMs: null, isShown: false };
      case 'HISTORY_EXPIRED':
        return this.#startAnew(readText(extensions, 'oldestCursor'));
      case 'RATE_LIMITED':
      case 'UPSTREAM_UNAVAILABLE':
      case 'SERVICE_PAUSED': {
        // Refused before it began: nothing is missed by that.
        this.#hasRun = false;
        const retryAfterMs = extensions?.['retryAfterMs'];
        return { action: 'restart', delayMs: typeof retryAfterMs === 'number' ? retryAfterMs : null, isShown: true };
      }
      default:
        return { action: 'end' };
    }
  }

  /** From live, not from the oldest there is: who was away for long wants to see now, and that there is a hole. */
  #startAnew(oldestCursor: string | null): Decision {
    const after = this.#cursor ?? this.#readAskedPlace();
    if (after === null || this.#cursorVariable === null) return { action: 'end' };
    this.#gap = { after, oldestCursor };
    this.#cursor = null;
    this.#variables = { ...this.#variables, [this.#cursorVariable]: null };
    return { action: 'restart', delayMs: 0, isShown: false };
  }

  /** Where the caller asked the log to begin. */
  #readAskedPlace(): string | null {
    return this.#cursorVariable === null ? null : readText(this.#variables, this.#cursorVariable);
  }
}

/** The gap that a result tells of, or `null`. */
export function readGap(result: { readonly extensions?: Record<string, unknown> | undefined }): Gap | null {
  return (result.extensions?.['gap'] as Gap | undefined) ?? null;
}

function readText(extensions: unknown, key: string): string | null {
  if (typeof extensions !== 'object' || extensions === null) return null;
  const value = (extensions as Record<string, unknown>)[key];
  return typeof value === 'string' ? value : null;
}
