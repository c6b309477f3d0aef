import { createSourceEventStream, type ExecutionArgs, type ExecutionResult, getOperationAST } from 'graphql';
import { ClientError } from '../errors.ts';
import { toGraphQLError } from './format-error.ts';
import { Mailbox } from './mailbox.ts';
import type { Plans } from './plan.ts';
import { shapeOf } from './shape.ts';
import { Subscription, type SubscriptionObserver } from './subscription.ts';
import type { Turn } from './turn.ts';

/** One operation on its way through GraphQL's layers; a member of its context. */
export type RunningOperation = {
  /** Set where it became a subscription: its transport has it deliver there. */
  subscription: Subscription | null;
};

/** Whoever is signed in while it runs. */
export type HoldingSession = {
  /** Ends the subscription with the viewer's time. Returns what is to be called when it is over. */
  hold(subscription: Subscription): () => void;
};

type SubscribeContext = { readonly running: RunningOperation; readonly session?: HoldingSession | null };

/**
 * GraphQL's Subscribe algorithm over mailboxes, whose results are made by shared plans and delivered past all layers above. The
 * stream that it returns has no results, only an end; the subscription itself is found in `context.running`.
 */
export function createSubscribe(options: { plans: Plans; turn: Turn; observer: SubscriptionObserver }) {
  return async function subscribe(
    args: ExecutionArgs,
  ): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult> {
    if (selectsNothing(args)) {
      const problem = 'A subscription selects one field; of this one all are left out.';
      return { errors: [toGraphQLError(new ClientError('GRAPHQL_VALIDATION_FAILED', problem))] };
    }
    const source = await createSourceEventStream(args);
    if (!(Symbol.asyncIterator in source)) return source;
    if (!(source instanceof Mailbox)) throw new Error('the source of a subscription is a mailbox: it has a bound');
    const subscription = new Subscription({ ...options, source: source as Mailbox<object>, args });
    const { running, session } = args.contextValue as SubscribeContext;
    running.subscription = subscription;
    if (session != null) subscription.onFinish(session.hold(subscription));
    return subscription;
  };
}

/** Valid by GraphQL's rules as they are written in graphql-js, which then stumbles over it. */
function selectsNothing({ schema, document, operationName }: ExecutionArgs): boolean {
  if (getOperationAST(document, operationName) === null) return false;
  return shapeOf(schema, document, operationName ?? null).field === null;
}
