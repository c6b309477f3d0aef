import { formatMoney } from '../format/money.ts';
import { formatQuantity } from '../format/quantity.ts';
import { formatSpan } from '../format/time.ts';
import type { KnownOrder } from './order-list.ts';
import { nameOrder } from './order-words.ts';
import { describeRejection } from './refusals.ts';
import type { Submission, Submitting } from './submission.ts';

/**
 * What became of the order, where it was placed. Ears hear of executions and rejections by the toast that tells them; what no toast
 * tells is spoken from here.
 */
export function TicketOutcome({
  submission,
  waitMs,
  sendAgain,
  dismiss,
}: Pick<Submitting, 'submission' | 'sendAgain' | 'dismiss'> & { readonly waitMs: number }) {
  const isToasted = submission.kind === 'answered' && ['FILLED', 'REJECTED'].includes(submission.order.status);
  const words = describe(submission);
  return (
    <>
      <div role="status">
        {words === null || isToasted ? null : <Outcome {...words} />}
        {submission.kind === 'refused' && waitMs > 0 ? <p className="visually-hidden">Wait a moment.</p> : null}
      </div>
      {words !== null && isToasted ? <Outcome {...words} /> : null}
      {submission.kind === 'refused' && waitMs > 0 ? (
        <p className="orders-outcome-wait num">Try again in {formatSpan(waitMs)}.</p>
      ) : null}
      {submission.kind === 'unanswered' ? (
        <div className="orders-outcome-actions">
          <button type="button" className="orders-button" onClick={sendAgain}>
            Send again
          </button>
          <button type="button" className="orders-button" onClick={dismiss}>
            Give it up
          </button>
        </div>
      ) : null}
    </>
  );
}

type Words = { readonly tone: 'good' | 'bad' | 'calm'; readonly title: string; readonly detail: string };

function Outcome({ tone, title, detail }: Words) {
  return (
    <div className="orders-outcome" data-tone={tone}>
      <p className="orders-outcome-title">{title}</p>
      <p>{detail}</p>
    </div>
  );
}

function describe(submission: Submission): Words | null {
  switch (submission.kind) {
    case 'answered':
      return describeOrder(submission.order);
    case 'refused':
      return { tone: 'bad', title: 'Not placed', detail: submission.words };
    case 'unanswered':
      return {
        tone: 'bad',
        title: `No answer yet: ${nameOrder(submission.attempt)}`,
        detail: `${submission.words} The order may have been taken. Sending it again is safe: it trades once at most.`,
      };
    case 'none':
    case 'sending':
      return null;
    default:
      return submission satisfies never;
  }
}

function describeOrder({
  status,
  reason,
  side,
  symbol,
  quantity,
  filledQuantity,
  averagePrice,
  limitPrice,
}: KnownOrder): Words {
  const verb = side === 'BUY' ? 'Buy' : 'Sell';
  switch (status) {
    case 'FILLED':
      return {
        tone: 'good',
        title: `${side === 'BUY' ? 'Bought' : 'Sold'} ${formatQuantity(filledQuantity)} ${symbol}`,
        detail: `at ${formatMoney(averagePrice)} a share`,
      };
    case 'REJECTED':
      return { tone: 'bad', title: 'Rejected', detail: describeRejection(reason) };
    case 'CANCELLED':
      return { tone: 'calm', title: 'Cancelled', detail: `${verb} ${formatQuantity(quantity)} ${symbol}` };
    case 'PENDING':
    case 'PARTIALLY_FILLED':
      return {
        tone: 'calm',
        title: 'Order placed',
        detail: `${verb} ${formatQuantity(quantity)} ${symbol} waits at ${formatMoney(limitPrice)}.`,
      };
    default:
      return status satisfies never;
  }
}
