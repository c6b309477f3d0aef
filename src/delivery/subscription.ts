import type { ExecutionArgs, ExecutionResult } from 'graphql';
import type { ErrorCode } from '../errors.ts';
import type { LogPosition } from '../market/log.ts';
import type { Mailbox, Reader } from './mailbox.ts';
import type { Payload } from './payload.ts';
import type { Plan, Plans } from './plan.ts';
import type { Sender } from './socket-outlet.ts';
import type { Turn } from './turn.ts';

/** Where the results of one subscription leave. */
export type Transport = {
  /** Whether it takes more now. */
  readonly ready: boolean;
  /** Has `sender` pull each time that it becomes ready again. */
  attach(sender: Sender): void;
  detach(sender: Sender): void;
  write(payload: Payload): void;
};

/** By whom, or by which error, a subscription was ended. */
export type EndCause = 'client' | 'server' | ErrorCode;

/** Whoever keeps the figures of subscriptions. */
export type SubscriptionObserver = {
  onStart(field: string): void;
  onEnd(field: string, cause: EndCause): void;
  /** Unix ms. */
  now(): number;
};

export type SubscriptionOptions = {
  readonly source: Mailbox<object>;
  readonly plans: Plans;
  readonly args: ExecutionArgs;
  readonly turn: Turn;
  readonly observer: SubscriptionObserver;
};

/**
 * One running subscription: takes each event from its mailbox as soon as the transport takes it, has the plan make the result of
 * it, and hands that over, in the same turn.
 *
 * As an iterator it has no results but an end, which the protocol above tells to the client: `next()` begins to deliver and
 * settles when all is over, by a throw of a GraphQLError with a code where an error ended it.
 */
export class Subscription implements Reader<object>, Sender, AsyncIterableIterator<ExecutionResult> {
  readonly #source: Mailbox<object>;
  readonly #plans: Plans;
  readonly #plan: Plan;
  /** Where the plan was made for another document; `null`: its own. */
  readonly #args: ExecutionArgs | null;
  readonly #turn: Turn;
  readonly #observer: SubscriptionObserver;
  readonly #startedAt: number;
  #transport: Transport | null = null;
  /** A result is being worked out that has to wait for something. */
  #isBusy = false;
  /** The furthest place in the log that was told. */
  #place: LogPosition | null = null;
  /** The client, or its connection, has ended it. */
  #isLeft = false;
  #outcome: { readonly error: Error | null } | null = null;
  #onFinish: (() => void) | null = null;
  #resolve: ((end: IteratorReturnResult<undefined>) => void) | null = null;
  #reject: ((error: Error) => void) | null = null;

  constructor({ source, plans, args, turn, observer }: SubscriptionOptions) {
    this.#source = source;
    this.#plans = plans;
    this.#plan = plans.take(args);
    // The context is the plan's: that of each operation is not kept.
    const { schema, document, operationName, variableValues } = args;
    this.#args = this.#plan.isMadeFor(args) ? null : { schema, document, operationName, variableValues };
    this.#turn = turn;
    this.#observer = observer;
    this.#startedAt = observer.now();
    observer.onStart(this.#plan.field);
  }

  /** The place from which it could be resumed before its first result; `null` for a state. */
  get start(): LogPosition | null {
    return 'start' in this.#source ? (this.#source.start as LogPosition | null) : null;
  }

  /** It tells of the viewer's own. */
  get isPrivate(): boolean {
    return this.#plan.isPrivate;
  }

  /** Ends it with an error that the client is told. */
  fail(error: Error): void {
    this.#source.fail(error);
  }

  /** Calls `listener` when all is over. */
  onFinish(listener: () => void): void {
    this.#onFinish = listener;
  }

  /** To be called once, before `next()`. */
  deliverTo(transport: Transport): void {
    this.#transport = transport;
  }

  get ready(): boolean {
    return !this.#isBusy && this.#transport!.ready;
  }

  take(event: object): void {
    let payload: Payload | Promise<Payload>;
    try {
      payload = this.#plan.payloadOf(event, this.#args);
    } catch (error) {
      // What cannot be written as JSON ends this one alone: whoever told the event has others to tell it.
      this.#source.fail(error as Error);
      return;
    }
    if (payload instanceof Promise) this.#wait(payload);
    else this.#give(payload);
  }

  end(error: Error | null): void {
    this.#outcome = { error };
    if (!this.#isBusy) this.#finish();
  }

  pull(): void {
    this.#source.pull();
  }

  next(): Promise<IteratorResult<ExecutionResult>> {
    if (this.#transport === null) return Promise.reject(new Error('a subscription is delivered to a transport'));
    if (this.#resolve !== null) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#transport!.attach(this);
      this.#source.attach(this);
    });
  }

  async return(): Promise<IteratorResult<ExecutionResult>> {
    this.#isLeft = true;
    await this.#source.return();
    // Where it was never delivered, nobody has told it.
    if (this.#resolve === null && this.#outcome === null) this.end(null);
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

  #wait(result: Promise<Payload>): void {
    this.#isBusy = true;
    result.then(
      (payload) => {
        this.#isBusy = false;
        if (!this.#isLeft) this.#give(payload);
        if (this.#outcome === null) this.#source.pull();
        else this.#finish();
      },
      (error: Error) => {
        this.#isBusy = false;
        if (this.#outcome === null) this.#source.fail(error);
        else this.#finish();
      },
    );
  }

  #give(payload: Payload): void {
    const { place, receivedAt } = payload;
    this.#transport!.write(place === null ? payload : this.#mark(payload, place));
    this.#turn.count(payload, receivedAt !== null && receivedAt >= this.#startedAt);
  }

  /** An entry that comes late, after one of another symbol, is no place to resume from: that other one would come again. */
  #mark(payload: Payload, place: LogPosition): Payload {
    const furthest = this.#place;
    if (furthest !== null && furthest.epoch === place.epoch && place.offset <= furthest.offset)
      return payload.at(furthest);
    this.#place = place;
    return payload;
  }

  #finish(): void {
    this.#transport?.detach(this);
    this.#plans.release(this.#plan);
    this.#onFinish?.();
    const { error } = this.#outcome!;
    if (error === null) {
      this.#observer.onEnd(this.#plan.field, this.#isLeft ? 'client' : 'server');
      this.#resolve?.({ done: true, value: undefined });
    } else {
      const shown = this.#plans.mask(error);
      this.#observer.onEnd(this.#plan.field, shown.extensions['code'] as ErrorCode);
      this.#reject?.(shown);
    }
  }
}
