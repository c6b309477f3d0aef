import { useEffect, useState } from 'react';
import { SymbolChart } from './symbol-chart.tsx';
import { SymbolHeader } from './symbol-header.tsx';
import { TimeAndSales } from './time-and-sales.tsx';
import './symbol-view.css';

/** How long a symbol must stand before its streams are opened: who walks through a list with the arrow keys asks for none. */
const SETTLE_MS = 200;

/** One symbol: its level 1, its candles, its tape. */
export function SymbolView({ symbol }: { readonly symbol: string }) {
  const settled = useSettled(symbol);
  const isSettled = settled === symbol;
  return (
    <div className="symbol">
      <SymbolHeader symbol={symbol} />
      <SymbolChart symbol={isSettled ? symbol : null} />
      <TimeAndSales symbol={isSettled ? symbol : null} />
    </div>
  );
}

/** The value once it has stood for a moment; the first one at once. */
function useSettled(value: string): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
