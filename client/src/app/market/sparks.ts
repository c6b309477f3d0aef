import { useCallback, useSyncExternalStore } from 'react';
import { useSparkStore } from '../tape-client.tsx';
import type { Spark } from './spark-store.ts';

/** What the price of a symbol did lately; `null` before that is known. */
export function useSpark(symbol: string): Spark | null {
  const sparks = useSparkStore();
  const watch = useCallback((listener: () => void) => sparks.watch(symbol, listener), [sparks, symbol]);
  return useSyncExternalStore(watch, () => sparks.read(symbol));
}
