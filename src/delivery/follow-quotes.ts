import type { Logger } from '../market/logger.ts';
import type { Timers } from '../market/timers.ts';
import { backgroundTimers } from './background-timers.ts';
import type { Hub } from './hub.ts';
import type { DeliveredQuote } from './quote-hub.ts';

const RETRY_MS = 1_000;

/**
 * Follows single symbols for parts of this process, as a subscriber would: the current quote, then each change, held back while
 * market events are paused. The returned function begins, and gives the function that ends it.
 */
export function createFollowQuotes(hub: Pick<Hub, 'openQuotes'>, logger: Logger, timers: Timers = backgroundTimers) {
  return (symbol: string, onQuote: (quote: DeliveredQuote) => void): (() => void) => {
    let end = (): void => {};
    let isEnded = false;
    const open = (): void => {
      hub.openQuotes([symbol]).then(
        (mailbox) => {
          end = () => void mailbox.return();
          if (isEnded) end();
          else mailbox.attach({ ready: true, take: onQuote, end: () => undefined });
        },
        (error: unknown) => {
          if (isEnded) return;
          logger.warn({ err: error, symbol }, 'a quote is followed later');
          end = timers.after(RETRY_MS, open);
        },
      );
    };
    open();
    return () => {
      isEnded = true;
      end();
    };
  };
}
