import { type Clock, systemClock } from './clock.ts';
import { type LiveDocument, readArgument } from './live-document.ts';
import { PolledBars } from './polled-bars.ts';
import type { PolledOperation } from './polled-operation.ts';
import { createPolledState } from './polled-state.ts';
import { PolledTrades } from './polled-trades.ts';

/** `null`: there is no query that tells the same, so that the subscription has to wait for a stream. */
export function choosePolledOperation(
  document: LiveDocument,
  variables: Readonly<Record<string, unknown>>,
  clock: Clock = systemClock,
): PolledOperation | null {
  switch (document.field.name.value) {
    case 'trades':
      return new PolledTrades(document, variables, clock);
    case 'bars':
      return new PolledBars(document, variables, clock);
    case 'quoteUpdates': {
      const symbols = readArgument(document.field, 'symbols', variables);
      const asked = { symbols: { name: 'pollSymbols', type: '[Symbol!]!' } };
      return createPolledState(document, 'quotes', asked, { ...variables, pollSymbols: symbols });
    }
    case 'portfolio':
    case 'marketStatus':
    case 'serviceStatus':
      return createPolledState(document, document.field.name.value, {}, { ...variables });
    default:
      return null;
  }
}
