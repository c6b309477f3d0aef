import type { FormattedExecutionResult } from 'graphql-ws';
import type { LiveDocument } from './live-document.ts';
import type { GraphQLErrors, LiveRequest } from './live-transport.ts';

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
  /** Subscribe again with other credentials, or end where there are none. */
  | { readonly action: 'renew' }
  | { readonly action: 'end' };

/** What of a log was had by queries, while no events came through. */
export type PolledMemory = {
  /** An event has come. Whether it is new: the queries may have had it before. */
  readonly take: (entry: unknown) => boolean;
  /** The log goes on somewhere else: what was had of it says nothing of what comes. */
  readonly forget: () => void;
};

/**
 * The memory of one subscription over its interruptions. A log's results carry their place in `extensions.cursor`; sent
 * again, the operation asks for what comes after the last one, by `extensions.resumeFrom`, which needs no variable. A state
 * (quotes, statuses) has no cursor: it begins anew with the current one, which is all there is to know.
 */
export class Resumption {
  readonly #document: LiveDocument;
  readonly #polled: PolledMemory | null;
  #variables: Record<string, unknown>;
  #place: string | null = null;
  #gap: Gap | null = null;
  /** Whether the operation ran before, so that it has missed what happened since. */
  #hasRun = false;
  /** It goes on from its place, or begins anew from live: where the caller asked it to begin is behind it. */
  #hasBegun = false;

  constructor(document: LiveDocument, variables: Record<string, unknown>, polled: PolledMemory | null = null) {
    this.#document = document;
    this.#variables = variables;
    this.#polled = polled;
  }

  /** What to send now. */
  readRequest(): LiveRequest {
    if (this.#place !== null) this.#leaveBegin();
    const document = this.#hasBegun ? this.#document.resumed : this.#document.first;
    return { document, variables: this.#variables, resumeFrom: this.#place };
  }

  /** What was to be sent has reached the server. */
  begin(): void {
    // A log that was interrupted before its first result, and was not told where to begin, begins anew from live. What came
    // in between is lost, and said to be.
    const isAnew = this.#place === null && this.#readAskedPlace() === null;
    if (this.#hasRun && isAnew && this.#document.isLog) this.noteGap();
    this.#hasRun = true;
  }

  /** It runs by queries: what comes before it is resumed is missed, unless they say how far they have had it. */
  noteRun(): void {
    this.#hasRun = true;
  }

  get place(): string | null {
    return this.#place;
  }

  /** The log stands here: a stream says so before its first result, and queries where they have had all up to it. */
  moveTo(cursor: string): void {
    this.#place = cursor;
  }

  /** The next result is the first after a hole. */
  noteGap(oldestCursor: string | null = null): void {
    this.#gap ??= { after: this.#place, oldestCursor };
  }

  /** Remembers the place of an event. `null`: it was had before. */
  accept(result: FormattedExecutionResult): FormattedExecutionResult | null {
    const cursor = readText(result.extensions, 'cursor');
    if (cursor !== null) this.#place = cursor;
    const entry = result.data?.[this.#document.responseKey];
    if (this.#polled !== null && entry != null && !this.#polled.take(entry)) return null;
    return this.mark(result);
  }

  /** Tells of the gap on the first result after it. */
  mark(result: FormattedExecutionResult): FormattedExecutionResult {
    if (this.#gap === null) return result;
    const marked = { ...result, extensions: { ...result.extensions, gap: this.#gap } };
    this.#gap = null;
    return marked;
  }

  /** What to do about errors with which the server ended the operation. */
  decide(errors: GraphQLErrors): Decision {
    const { extensions } = errors[0] ?? {};
    switch (extensions?.['code']) {
      case 'SLOW_CONSUMER':
        // Nothing is lost: the log goes on from what was read last, or from where it began if nothing was.
        this.#place ??= readText(extensions, 'cursor');
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
      case 'UNAUTHENTICATED':
        return { action: 'renew' };
      default:
        return { action: 'end' };
    }
  }

  /** From live, not from the oldest there is: who was away for long wants to see now, and that there is a hole. */
  #startAnew(oldestCursor: string | null): Decision {
    const after = this.#place ?? this.#readAskedPlace();
    if (after === null) return { action: 'end' };
    this.#gap = { after, oldestCursor };
    this.#place = null;
    this.#hasRun = false;
    this.#leaveBegin();
    this.#polled?.forget();
    return { action: 'restart', delayMs: 0, isShown: false };
  }

  #leaveBegin(): void {
    const { cursorVariable } = this.#document;
    this.#hasBegun = true;
    if (cursorVariable !== null) this.#variables = { ...this.#variables, [cursorVariable]: null };
  }

  /** Where the caller asked the log to begin. */
  #readAskedPlace(): string | null {
    const { field, cursorVariable } = this.#document;
    if (this.#hasBegun) return null;
    if (cursorVariable !== null) return readText(this.#variables, cursorVariable);
    const written = field.arguments?.find(({ name }) => name.value === 'after')?.value;
    return written?.kind === 'StringValue' ? written.value : null;
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
