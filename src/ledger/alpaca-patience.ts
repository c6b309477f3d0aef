import type { Timers } from '../market/timers.ts';

/** How long the Alpaca adapter waits for what. */
export type AlpacaLimits = {
  /** Of one request, to the last byte of the answer. */
  readonly timeoutMs: number;
  /** The longest wait that a rate limit may ask of one request; beyond it the request fails. */
  readonly rateWaitMs: number;
  /** From the first try to bring an order to the market to the last one, and between two. */
  readonly sendMs: number;
  readonly sendRetryMs: number;
  /**
   * An order of this age that Alpaca has not confirmed is not being sent any more by whoever took it: longer than the last try can
   * take, with all that it may wait for.
   */
  readonly graceMs: number;
  /** Between two comparisons of all open orders; soon again where one has failed or was not complete. */
  readonly compareMs: number;
  readonly compareRetryMs: number;
  /** The waits before each look at what has come of a cancel. */
  readonly cancelLooksMs: readonly number[];
  /** The stream: to be accepted by it, between two pings, and of silence before it counts as lost. */
  readonly acceptMs: number;
  readonly pingMs: number;
  readonly silenceMs: number;
  /** Bounds of the wait before it is opened again; doubled with each failure. */
  readonly initialDelayMs: number;
  readonly maxDelayMs: number;
  /** The wait after the key was refused. */
  readonly refusedDelayMs: number;
  /** Updates that wait to be booked; what comes beyond is found by the next comparison. */
  readonly maxUpdates: number;
};

export const ALPACA_LIMITS: AlpacaLimits = {
  timeoutMs: 5_000,
  rateWaitMs: 8_000,
  sendMs: 10_000,
  sendRetryMs: 250,
  graceMs: 60_000,
  compareMs: 30_000,
  compareRetryMs: 1_000,
  cancelLooksMs: [0, 100, 200, 400, 800],
  acceptMs: 10_000,
  pingMs: 10_000,
  silenceMs: 30_000,
  initialDelayMs: 250,
  maxDelayMs: 15_000,
  refusedDelayMs: 30_000,
  maxUpdates: 10_000,
};

/** @throws the signal's reason, as soon as it is aborted */
export async function wait(timers: Timers, delayMs: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const cancel = timers.after(delayMs, resolve);
  const onAbort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await promise;
  } finally {
    cancel();
    signal.removeEventListener('abort', onAbort);
  }
}
