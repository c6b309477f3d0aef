import { recall, remember } from '../remembered.ts';
import { readSymbol } from './route.ts';

const MEMORY = { name: 'symbol', version: 1 } as const;
const FIRST_SYMBOL = 'AAPL';

export function recallSymbol(): string {
  return recall(MEMORY, (value) => (typeof value === 'string' ? readSymbol(value) : null)) ?? FIRST_SYMBOL;
}

export function rememberSymbol(symbol: string): void {
  remember(MEMORY, symbol);
}
