import {
  createSourceEventStream,
  execute,
  type ExecutionArgs,
  type ExecutionResult,
  getOperationAST,
  Kind,
} from 'graphql';
import { encodeCursor, type LogPosition } from '../market/log.ts';
import { toGraphQLError } from './format-error.ts';
import { ResumePoint } from './resume.ts';

/** Whoever keeps the figures of subscriptions. */
export type SubscriptionObserver = {
  /** A subscription of this root field began; the returned function is called once, at its end. */
  onStart(field: string): () => void;
  /**
   * A result is handed to the transport. `receivedAt` is when ingest read what it tells, in Unix ms; `null` where that
   * was before the subscription began (a snapshot, a resumed entry), so that it says nothing of the delivery.
   */
  onResult(field: string, receivedAt: number | null): void;
  now(): number;
};

/**
 * GraphQL's Subscribe algorithm over sources that are bounded and can be ended. In place of graphql-js' own because
 * every result of a log carries its cursor in `extensions`, and because `return()` reaches the source at once, also
 * while a result is awaited. An error that ends the source is the last `next()`'s throw, as a GraphQLError with a code.
 */
export function createSubscribe(observer: SubscriptionObserver) {
  return async function subscribe(
    args: ExecutionArgs,
  ): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult> {
    const source = await createSourceEventStream(args);
    if (!(Symbol.asyncIterator in source)) return source;
    noteStart(source, args.contextValue);
    return new ResultStream(source[Symbol.asyncIterator](), args, observer);
  };
}

class ResultStream implements AsyncIterableIterator<ExecutionResult> {
  readonly #source: AsyncIterator<unknown>;
  readonly #args: ExecutionArgs;
  readonly #observer: SubscriptionObserver;
  readonly #field: string;
  readonly #startedAt: number;
  /** The furthest place in the log that was told. */
  #place: LogPosition | null = null;
  #onEnd: (() => void) | null;

  constructor(source: AsyncIterator<unknown>, args: ExecutionArgs, observer: SubscriptionObserver) {
    this.#source = source;
    this.#args = args;
    this.#observer = observer;
    this.#field = rootFieldOf(args);
    this.#startedAt = observer.now();
    this.#onEnd = observer.onStart(this.#field);
  }

  async next(): Promise<IteratorResult<ExecutionResult>> {
    let event: IteratorResult<unknown>;
    try {
      event = await this.#source.next();
    } catch (error) {
      this.#end();
      throw toGraphQLError(error);
    }
    if (event.done) {
      this.#end();
      return { done: true, value: undefined };
    }
    const result = await execute({ ...this.#args, rootValue: event.value });
    const receivedAt = receivedAtOf(event.value);
    this.#observer.onResult(this.#field, receivedAt !== null && receivedAt >= this.#startedAt ? receivedAt : null);
    return { done: false, value: isLogged(event.value) ? this.#withCursor(result, event.value) : result };
  }

  async return(): Promise<IteratorResult<ExecutionResult>> {
    this.#end();
    await this.#source.return?.();
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<IteratorResult<ExecutionResult>> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #withCursor(result: ExecutionResult, { epoch, offset }: LogPosition): ExecutionResult {
    // An entry that comes late, after one of another symbol, is no place to resume from: that other one would come again.
    if (this.#place?.epoch !== epoch || offset > this.#place.offset) this.#place = { epoch, offset };
    return { ...result, extensions: { ...result.extensions, cursor: encodeCursor(this.#place) } };
  }

  #end(): void {
    this.#onEnd?.();
    this.#onEnd = null;
  }
}

/** A subscription has exactly one root field; validation has seen to that. */
function rootFieldOf(args: ExecutionArgs): string {
  const operation = getOperationAST(args.document, args.operationName);
  const type = args.schema.getSubscriptionType();
  const selection = operation?.selectionSet.selections[0];
  if (selection?.kind !== Kind.FIELD || type?.getFields()[selection.name.value] === undefined) return 'other';
  return selection.name.value;
}

function receivedAtOf(event: unknown): number | null {
  return typeof event === 'object' && event !== null && 'receivedAt' in event && typeof event.receivedAt === 'number'
    ? event.receivedAt
    : null;
}

function isLogged(event: unknown): event is LogPosition {
  return typeof event === 'object' && event !== null && 'epoch' in event && 'offset' in event;
}

/** Tells the operation where its log begins, so that it can be resumed though its first result never came. */
function noteStart(source: object, context: unknown): void {
  if (!('start' in source) || typeof context !== 'object' || context === null || !('resume' in context)) return;
  if (context.resume instanceof ResumePoint) context.resume.start = source.start as LogPosition | null;
}
