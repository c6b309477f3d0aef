import { useCallback, useEffect, useState } from 'react';
import { useTape } from '../tape-client.tsx';
import { type Attempt, endAttempt, recallAttempt, startAttempt } from './attempt.ts';
import { PlaceOrder } from './operations.ts';
import type { CheckedOrder } from './order-draft.ts';
import type { KnownOrder } from './order-list.ts';
import { useOrders } from './orders-store.ts';
import { describeRefusal } from './refusals.ts';

/** What becomes of the order that was sent last. */
export type Submission =
  | { readonly kind: 'none' }
  | { readonly kind: 'sending'; readonly attempt: Attempt }
  /** The server has it: filled, waiting or rejected. */
  | { readonly kind: 'answered'; readonly order: KnownOrder }
  /** The server did not take it. `until`: Unix ms, before which it would be refused again. */
  | { readonly kind: 'refused'; readonly words: string; readonly until: number | null }
  /** Nobody knows whether the server has it; sent again, it trades once. */
  | { readonly kind: 'unanswered'; readonly attempt: Attempt; readonly words: string };

export type Submitting = {
  readonly submission: Submission;
  readonly send: (order: CheckedOrder) => void;
  /** The same attempt, where it had no answer. */
  readonly sendAgain: () => void;
  /** Leaves it at that: an attempt without an answer is given up, and shows among the orders if it was taken. */
  readonly dismiss: () => void;
};

/** One order at a time of a symbol; the component is made anew for another symbol. */
export function useSubmission(symbol: string): Submitting {
  const client = useTape();
  const { orders, store } = useOrders();
  const [submission, setSubmission] = useState<Submission>(() => {
    const attempt = recallAttempt(symbol, sessionStorage);
    const words = 'The page was left before the server answered.';
    return attempt === null ? { kind: 'none' } : { kind: 'unanswered', attempt, words };
  });

  const transmit = useCallback(
    async (attempt: Attempt): Promise<void> => {
      setSubmission({ kind: 'sending', attempt });
      const { data, error } = await client.mutation(PlaceOrder, { input: { ...attempt } });
      if (data !== undefined && error === undefined) {
        endAttempt(attempt, sessionStorage);
        store.note(data.placeOrder);
        setSubmission({ kind: 'answered', order: data.placeOrder });
        return;
      }
      const refusal = error === undefined ? null : describeRefusal(error);
      if (refusal === null || refusal.isUnknown) {
        store.refreshSoon();
        setSubmission({ kind: 'unanswered', attempt, words: refusal?.words ?? 'No answer came from the server.' });
        return;
      }
      endAttempt(attempt, sessionStorage);
      const { words, retryAfterMs } = refusal;
      setSubmission({ kind: 'refused', words, until: retryAfterMs === null ? null : Date.now() + retryAfterMs });
    },
    [client, store],
  );

  // What had no answer may turn up among the orders.
  useEffect(() => {
    if (submission.kind !== 'unanswered') return;
    const { attempt } = submission;
    const order = orders?.find(({ clientOrderId }) => clientOrderId === attempt.clientOrderId);
    if (order === undefined) return;
    endAttempt(attempt, sessionStorage);
    setSubmission({ kind: 'answered', order });
  }, [submission, orders]);

  return {
    submission,
    send: (order) => void transmit(startAttempt(symbol, order, sessionStorage)),
    sendAgain: () => {
      if (submission.kind === 'unanswered') void transmit(submission.attempt);
    },
    dismiss: () => {
      if (submission.kind === 'unanswered') endAttempt(submission.attempt, sessionStorage);
      setSubmission({ kind: 'none' });
    },
  };
}
