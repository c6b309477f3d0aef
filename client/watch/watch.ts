import type { AnyVariables, DocumentInput } from '@urql/core';
import { type Clock, systemClock } from '../src/graphql/clock.ts';
import { ConnectionRefusedError } from '../src/graphql/close-codes.ts';
import { readGap } from '../src/graphql/resumption.ts';
import { Bars, MarketStatusChanges, QuoteUpdates, ServiceStatusChanges, Trades } from '../src/graphql/operations.ts';
import type { TapeClient } from '../src/graphql/tape-client.ts';
import type { TapeState } from '../src/graphql/tape-status.ts';
import type { WatchOptions } from './options.ts';
import { describeConnection, type Log, type View } from './view.ts';

/** How a watch ended: as it was told to, or with a reason why it could not go on. */
export type WatchEnd = { readonly status: 0 } | { readonly status: 1; readonly message: string };

/**
 * Shows what the client hears until the signal is given, or until it cannot go on: an operation was refused for good, or
 * no market data came in time. Leaves the client and the view open.
 */
export function watch(
  client: TapeClient,
  view: View,
  options: WatchOptions,
  signal: AbortSignal,
  clock: Clock = systemClock,
): Promise<WatchEnd> {
  const { promise, resolve } = Promise.withResolvers<WatchEnd>();
  const stops: (() => void)[] = [];
  const symbols = [...options.symbols];

  function read<Data, Variables extends AnyVariables>(
    document: DocumentInput<Data, Variables>,
    variables: Variables,
    show: (data: Data) => void,
    log?: Log,
  ): void {
    const subscription = client.subscription(document, variables).subscribe((result) => {
      const gap = readGap(result);
      if (gap !== null && log !== undefined) view.showGap(log, gap);
      if (result.data != null) show(result.data);
      if (result.error === undefined) return;
      const { graphQLErrors, networkError } = result.error;
      const message = (networkError ?? graphQLErrors[0] ?? result.error).message;
      const isRefused = networkError instanceof ConnectionRefusedError;
      if (!result.hasNext || isRefused) resolve({ status: 1, message });
      else view.showError(message);
    });
    stops.push(() => subscription.unsubscribe());
  }

  let cancelDeadline = (): void => {};
  const { timeoutMs } = options;
  if (timeoutMs !== null) {
    cancelDeadline = clock.schedule(() => {
      const state = describeConnection(client.status.getSnapshot(), options.url);
      resolve({ status: 1, message: `no market data within ${timeoutMs / 1000} s: ${state}` });
    }, timeoutMs);
  }
  /** Market data: the deadline is met. */
  const showing =
    <Data>(show: (data: Data) => void) =>
    (data: Data): void => {
      cancelDeadline();
      show(data);
    };

  let last: TapeState = 'connecting';
  let wasLive = false;
  let reconnects = 0;
  const showConnection = (): void => {
    const status = client.status.getSnapshot();
    if (status.state === 'live' && last !== 'live' && wasLive) reconnects++;
    last = status.state;
    wasLive ||= last === 'live';
    view.showConnection(status, reconnects);
  };
  showConnection();
  stops.push(client.status.subscribe(showConnection));

  read(MarketStatusChanges, {}, ({ marketStatus }) => view.showMarketStatus(marketStatus));
  read(ServiceStatusChanges, {}, ({ serviceStatus }) => view.showServiceStatus(serviceStatus));
  if (options.quotes) {
    const { maxRateHz } = options;
    read(
      QuoteUpdates,
      { symbols, maxRateHz },
      showing(({ quoteUpdates }) => view.showQuote(quoteUpdates)),
    );
  }
  if (options.trades)
    read(
      Trades,
      { symbols },
      showing(({ trades }) => view.showTrade(trades)),
      'trades',
    );
  if (options.bars) {
    read(
      Bars,
      { symbols, interval: 'SECOND' },
      showing(({ bars }) => view.showBar(bars)),
      'bars',
    );
  }

  const end = (): void => resolve({ status: 0 });
  if (signal.aborted) end();
  signal.addEventListener('abort', end, { once: true });
  return promise.finally(() => {
    cancelDeadline();
    signal.removeEventListener('abort', end);
    for (const stop of stops) stop();
  });
}
