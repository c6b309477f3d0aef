import { type FormEvent, useEffect, useRef, useState } from 'react';
import { MarketStatusChanges } from '../../graphql/operations.ts';
import { formatMoney } from '../format/money.ts';
import { formatQuantity } from '../format/quantity.ts';
import { useQuote } from '../market/quotes.ts';
import { usePortfolio } from '../portfolio/portfolio-store.ts';
import { useLatest } from '../status/use-latest.ts';
import { useNow } from '../status/use-now.ts';
import { Choice } from './choice.tsx';
import { DecimalField } from './decimal-field.tsx';
import { countMeans, countShares, estimateOrder } from './estimate.ts';
import { checkDraft, type OrderDraft } from './order-draft.ts';
import { useOrders } from './orders-store.ts';
import { useSubmission } from './submission.ts';
import { TicketEstimate } from './ticket-estimate.tsx';
import { TicketHolding } from './ticket-holding.tsx';
import { TicketOutcome } from './ticket-outcome.tsx';

const SIDES = [
  { value: 'BUY', label: 'Buy' },
  { value: 'SELL', label: 'Sell' },
] as const;
const TYPES = [
  { value: 'MARKET', label: 'Market' },
  { value: 'LIMIT', label: 'Limit' },
] as const;
const PARTS = [
  { part: 0.25, label: '25 %' },
  { part: 0.5, label: '50 %' },
  { part: 1, label: 'Max' },
] as const;

const EMPTY: OrderDraft = { side: 'BUY', type: 'MARKET', quantity: '', limitPrice: '' };

/** Which fields have been left, so that what is wrong with them is told. */
type Left = { readonly quantity: boolean; readonly limitPrice: boolean };
const NONE_LEFT: Left = { quantity: false, limitPrice: false };

export function TicketForm({ symbol }: { readonly symbol: string }) {
  const quote = useQuote(symbol);
  const { portfolio } = usePortfolio();
  const { orders } = useOrders();
  const { submission, send, sendAgain, dismiss } = useSubmission(symbol);
  const [draft, setDraft] = useState(EMPTY);
  const [left, setLeft] = useState(NONE_LEFT);
  const quantityInput = useRef<HTMLInputElement>(null);
  const limitInput = useRef<HTMLInputElement>(null);
  const isMarketOpen = useLatest(MarketStatusChanges)?.marketStatus.isOpen ?? true;
  const until = submission.kind === 'refused' ? submission.until : null;
  const now = useNow(until !== null);
  const waitMs = until === null ? 0 : Math.max(0, until - now);

  const { problems, order } = checkDraft(draft);
  const means = portfolio === null ? null : countMeans(portfolio, orders ?? [], symbol);
  const estimate = order === null || means === null ? null : estimateOrder(order, quote, means);
  const isBusy = submission.kind === 'sending' || submission.kind === 'unanswered';

  // What is placed is done with; what was not may be mended.
  const isPlaced = submission.kind === 'answered' && submission.order.status !== 'REJECTED';
  useEffect(() => {
    if (!isPlaced) return;
    setDraft((last) => ({ ...last, quantity: '' }));
    setLeft(NONE_LEFT);
  }, [isPlaced]);

  const change = (next: Partial<OrderDraft>): void => {
    setDraft((last) => ({ ...last, ...next }));
    if (submission.kind === 'answered') dismiss();
  };

  /** A limit that nobody typed follows the side: a buy begins at the bid, a sale at the ask. */
  const suggestLimit = ({ side, type }: Pick<OrderDraft, 'side' | 'type'>): Partial<OrderDraft> => {
    const price = side === 'BUY' ? quote?.bid : quote?.ask;
    return type === 'LIMIT' && !left.limitPrice && price != null ? { limitPrice: writePrice(price) } : {};
  };

  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setLeft({ quantity: true, limitPrice: true });
    if (problems.quantity !== null) quantityInput.current?.focus();
    else if (problems.limitPrice !== null) limitInput.current?.focus();
    if (order === null || isBusy || waitMs > 0) return;
    send(order);
  };

  return (
    <form className="orders-form" noValidate onSubmit={submit}>
      <Choice
        {...{ legend: 'Side', options: SIDES, value: draft.side, isDisabled: isBusy }}
        onChange={(side) => change({ side, ...suggestLimit({ side, type: draft.type }) })}
      />
      <Choice
        {...{ legend: 'Type', options: TYPES, value: draft.type, isDisabled: isBusy }}
        onChange={(type) => change({ type, ...suggestLimit({ side: draft.side, type }) })}
      />
      <DecimalField
        ref={quantityInput}
        {...{ label: 'Quantity', unit: 'shares', value: draft.quantity, isDisabled: isBusy }}
        problem={left.quantity ? problems.quantity : null}
        onChange={(quantity) => change({ quantity })}
        onLeave={() => setLeft((last) => ({ ...last, quantity: draft.quantity !== '' }))}
      >
        {PARTS.map(({ part, label }) => {
          const limitPrice =
            draft.type === 'LIMIT' ? (checkDraft({ ...draft, quantity: '1' }).order?.limitPrice ?? null) : null;
          const isPriced = draft.type === 'MARKET' || limitPrice !== null || draft.side === 'SELL';
          const shares =
            means === null || !isPriced ? null : countShares(part, { side: draft.side, limitPrice }, quote, means);
          return (
            <button
              key={label}
              type="button"
              className="orders-preset"
              disabled={isBusy || shares === null || shares === '0'}
              aria-label={`${label} of your ${draft.side === 'BUY' ? 'cash' : 'shares'}`}
              onClick={() => change({ quantity: shares! })}
            >
              {label}
            </button>
          );
        })}
      </DecimalField>
      {draft.type === 'LIMIT' ? (
        <DecimalField
          ref={limitInput}
          {...{ label: 'Limit price', unit: 'USD', value: draft.limitPrice, isDisabled: isBusy }}
          problem={left.limitPrice ? problems.limitPrice : null}
          onChange={(limitPrice) => {
            change({ limitPrice });
            setLeft((last) => ({ ...last, limitPrice: last.limitPrice || limitPrice !== '' }));
          }}
          onLeave={() => setLeft((last) => ({ ...last, limitPrice: draft.limitPrice !== '' }))}
        >
          {(['bid', 'ask'] as const).map((side) => (
            <button
              key={side}
              type="button"
              className="orders-preset"
              disabled={isBusy || quote?.[side] == null}
              onClick={() => {
                change({ limitPrice: writePrice(quote![side]!) });
                setLeft((last) => ({ ...last, limitPrice: true }));
              }}
            >
              {side === 'bid' ? 'Bid' : 'Ask'}
            </button>
          ))}
        </DecimalField>
      ) : null}
      <TicketHolding position={portfolio?.positions.find((position) => position.symbol === symbol) ?? null} />
      <TicketEstimate {...{ draft, quote, means, estimate, isMarketOpen }} />
      <button
        type="submit"
        className="orders-submit"
        data-side={draft.side}
        aria-disabled={isBusy || waitMs > 0}
        aria-describedby="orders-estimate"
      >
        {nameSubmit()}
      </button>
      <TicketOutcome {...{ submission, waitMs, sendAgain, dismiss }} />
    </form>
  );

  function nameSubmit(): string {
    if (submission.kind === 'sending') return 'Sending…';
    const verb = draft.side === 'BUY' ? 'Buy' : 'Sell';
    if (order === null) return `${verb} ${symbol}`;
    const at = order.limitPrice === null ? '' : ` at ${formatMoney(order.limitPrice)}`;
    return `${verb} ${formatQuantity(order.quantity)} ${symbol}${at}`;
  }
}

/** A price of the market as it would be typed: cents at least. */
function writePrice(price: number): string {
  const text = String(price);
  const [, decimals = ''] = text.split('.');
  return decimals.length < 2 ? price.toFixed(2) : text;
}
