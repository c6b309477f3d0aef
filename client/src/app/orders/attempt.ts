import type { CheckedOrder } from './order-draft.ts';

/**
 * An order that is on its way. Its name is made once and stays until the server has answered: however often it is sent, it trades
 * once.
 */
export type Attempt = CheckedOrder & { readonly clientOrderId: string; readonly symbol: string };

/** Kept over a reload, for this tab alone: another tab's is none of its own. */
export type AttemptMemory = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

export function startAttempt(symbol: string, order: CheckedOrder, memory: AttemptMemory): Attempt {
  const attempt = { ...order, symbol, clientOrderId: crypto.randomUUID() };
  try {
    memory.setItem(toKey(symbol), JSON.stringify(attempt));
  } catch {
    // Where the browser keeps nothing, the attempt lasts as long as the page.
  }
  return attempt;
}

/** The server has answered, or the viewer gives it up. */
export function endAttempt({ symbol }: Attempt, memory: AttemptMemory): void {
  try {
    memory.removeItem(toKey(symbol));
  } catch {
    // As above.
  }
}

/** The one that had no answer when the page was left. */
export function recallAttempt(symbol: string, memory: AttemptMemory): Attempt | null {
  try {
    return parse(JSON.parse(memory.getItem(toKey(symbol)) ?? 'null'), symbol);
  } catch {
    return null;
  }
}

function parse(value: unknown, symbol: string): Attempt | null {
  if (typeof value !== 'object' || value === null) return null;
  const { clientOrderId, side, type, quantity, limitPrice } = value as Record<string, unknown>;
  if (typeof clientOrderId !== 'string' || typeof quantity !== 'string') return null;
  if ((side !== 'BUY' && side !== 'SELL') || (type !== 'MARKET' && type !== 'LIMIT')) return null;
  if (limitPrice !== null && typeof limitPrice !== 'string') return null;
  return { clientOrderId, symbol, side, type, quantity, limitPrice };
}

function toKey(symbol: string): string {
  return `tapeql:attempt:${symbol}`;
}
