import { execute, type ExecutionArgs, type ExecutionResult, type GraphQLError } from 'graphql';
import { LRUCache } from 'lru-cache';
import type { LogPosition } from '../market/log.ts';
import { serializeError, toGraphQLError } from './format-error.ts';
import { isLate } from './late-events.ts';
import { Payload } from './payload.ts';
import { createProjection, type Projection } from './projection.ts';
import { describeResults, type Shape, shapeOf } from './shape.ts';

/** Plans that nobody uses are kept up to this number, for whoever comes back. */
const MAX_IDLE_PLANS = 256;

/** What a plan tells of its work. */
export type PlanObserver = {
  /** A result was worked out. */
  onExecution(field: string): void;
  /** An error that was not meant for clients. */
  onUnexpectedError(error: GraphQLError): void;
};

export type PlansOptions = {
  readonly observer: PlanObserver;
  /** What resolvers are given for results that are shared: it knows nothing of any viewer, and objects where it is asked. */
  readonly sharedContext: unknown;
  /** Who asks, where a result depends on it; `null`: anonymous. */
  readonly viewerOf: (context: unknown) => string | null;
};

/** The plans of the subscriptions that run: operations whose results look alike share one, whatever symbols each watches. */
export class Plans {
  readonly #options: PlansOptions;
  readonly #used = new Map<string, Plan>();
  readonly #idle = new LRUCache<string, Plan>({ max: MAX_IDLE_PLANS });

  constructor(options: PlansOptions) {
    this.#options = options;
  }

  /** How many are in use. */
  get size(): number {
    return this.#used.size;
  }

  /** The plan of a valid operation, to be given back by {@link release}. */
  take(args: ExecutionArgs): Plan {
    const shape = shapeOf(args.schema, args.document, args.operationName ?? null);
    const results = describeResults(shape, args);
    const key = shape.isPrivate ? `${JSON.stringify(this.#options.viewerOf(args.contextValue))}\n${results}` : results;
    let plan = this.#used.get(key);
    if (plan === undefined) {
      plan = this.#idle.get(key) ?? this.#create(key, shape, args);
      this.#idle.delete(key);
      this.#used.set(key, plan);
    }
    plan.uses++;
    return plan;
  }

  release(plan: Plan): void {
    if (--plan.uses > 0) return;
    this.#used.delete(plan.key);
    // One that is private holds a viewer's context, which is another at the next time.
    if (!plan.isPrivate) this.#idle.set(plan.key, plan);
  }

  /** The error as the client is told; one that was not meant for clients is told to the operator. */
  mask(error: unknown): GraphQLError {
    return mask(error, this.#options.observer);
  }

  #create(key: string, shape: Shape, args: ExecutionArgs): Plan {
    const contextValue = shape.isPrivate ? args.contextValue : this.#options.sharedContext;
    return new Plan(key, shape, { ...args, contextValue }, this.#options.observer);
  }
}

/**
 * How the results of subscriptions that look alike are made. Each event is executed and encoded once, at its first reader;
 * the others are given the same payload.
 */
export class Plan {
  readonly key: string;
  readonly field: string;
  readonly isPrivate: boolean;
  uses = 0;
  readonly #observer: PlanObserver;
  readonly #args: ExecutionArgs;
  readonly #project: Projection | null;
  /** Of events that are asked for again after others, as long as they live, and what graphql-js is still asked for. */
  readonly #made = new WeakMap<object, Payload | Promise<Payload>>();
  #lastEvent: object | null = null;
  #lastPayload: Payload | null = null;

  constructor(key: string, shape: Shape, args: ExecutionArgs, observer: PlanObserver) {
    this.key = key;
    this.field = shape.field!;
    this.isPrivate = shape.isPrivate;
    this.#observer = observer;
    this.#args = args;
    this.#project = createProjection(args);
  }

  /** Whether it was made for this very operation; its root arguments aside, on which no result depends. */
  isMadeFor({ document, operationName }: ExecutionArgs): boolean {
    return document === this.#args.document && operationName === this.#args.operationName;
  }

  /**
   * The result for an event. `args` are those of the operation where it is another than the plan was made for: what graphql-js was
   * asked for may point at places in the document, as errors do, and is shared by those alone who sent the same one.
   */
  payloadOf(event: object, args: ExecutionArgs | null): Payload | Promise<Payload> {
    if (event === this.#lastEvent) return this.#lastPayload!;
    const made = this.#made.get(event) ?? this.#make(event);
    const fit = (payload: Payload) => (payload.isOfDocument && args !== null ? this.#execute(event, args) : payload);
    if (made instanceof Promise) return made.then(fit);
    if (made.isOfDocument) return fit(made);
    if (this.#lastEvent !== null && isLate(this.#lastEvent)) this.#made.set(this.#lastEvent, this.#lastPayload!);
    this.#lastEvent = event;
    this.#lastPayload = made;
    return made;
  }

  #make(event: object): Payload | Promise<Payload> {
    const result = this.#project?.(event) ?? null;
    if (result !== null) {
      this.#observer.onExecution(this.field);
      return this.#describe(result, false, event);
    }
    const made = this.#execute(event, null);
    this.#made.set(event, made);
    if (made instanceof Promise)
      made.then(
        (payload) => this.#made.set(event, payload),
        // Its readers are told.
        () => this.#made.delete(event),
      );
    return made;
  }

  #execute(event: object, args: ExecutionArgs | null): Payload | Promise<Payload> {
    this.#observer.onExecution(this.field);
    const result = execute({ ...(args ?? this.#args), contextValue: this.#args.contextValue, rootValue: event });
    const describe = (settled: ExecutionResult): Payload => this.#describe(this.#stringify(settled), true, event);
    return result instanceof Promise ? result.then(describe) : describe(result as ExecutionResult);
  }

  #stringify(result: ExecutionResult): string {
    if (result.errors === undefined) return JSON.stringify(result);
    return JSON.stringify({
      ...result,
      errors: result.errors.map((error) => serializeError(mask(error, this.#observer))),
    });
  }

  #describe(result: string, isOfDocument: boolean, event: object): Payload {
    const { field } = this;
    return new Payload(result, { field, isOfDocument, receivedAt: receivedAtOf(event), place: placeOf(event) });
  }
}

function mask(error: unknown, observer: PlanObserver): GraphQLError {
  const shown = toGraphQLError(error);
  if (shown.extensions['code'] === 'INTERNAL_SERVER_ERROR') observer.onUnexpectedError(shown);
  return shown;
}

function receivedAtOf(event: object): number | null {
  return 'receivedAt' in event && typeof event.receivedAt === 'number' ? event.receivedAt : null;
}

function placeOf(event: object): LogPosition | null {
  return 'epoch' in event && 'offset' in event && event.epoch !== undefined
    ? { epoch: event.epoch as string, offset: event.offset as number }
    : null;
}
