import { createSourceEventStream, type ExecutionArgs, type ExecutionResult } from 'graphql';
import { Mailbox } from './mailbox.ts';
import type { Plans } from './plan.ts';
import { Subscription, type SubscriptionObserver } from './subscription.ts';
import type { Turn } from './turn.ts';

/** One operation on its way through GraphQL's layers; a member of its context. */
export type RunningOperation = {
  /** Set where it became a subscription: its transport has it deliver there. */
  subscription: Subscription | null;
};

/**
 * GraphQL's Subscribe algorithm over mailboxes, whose results are made by shared plans and delivered past all layers above. The
 * stream that it returns has no results, only an end; the subscription itself is found in `context.running`.
 */
export function createSubscribe(options: { plans: Plans; turn: Turn; observer: SubscriptionObserver }) {
  return async function subscribe(
    args: ExecutionArgs,
  ): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult> {
    const source = await createSourceEventStream(args);
    if (!(Symbol.asyncIterator in source)) return source;
    if (!(source instanceof Mailbox)) throw new Error('the source of a subscription is a mailbox: it has a bound');
    const subscription = new Subscription({ ...options, source: source as Mailbox<object>, args });
    (args.contextValue as { running: RunningOperation }).running.subscription = subscription;
    return subscription;
  };
}
