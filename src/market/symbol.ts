/** 1 to 32 of A-Z 0-9 . - : / — "AAPL", "BRK.B", "I:SPX", "O:AAPL261218C00250000". */
const SYMBOL = /^[A-Z0-9.\-:/]{1,32}$/;

/**
 * The canonical form of a symbol: trimmed and upper-cased.
 * Returns `null` where the text is no symbol; whether such a symbol is traded is for the upstream to know.
 */
export function parseSymbol(text: string): string | null {
  const symbol = text.trim().toUpperCase();
  return SYMBOL.test(symbol) ? symbol : null;
}

/** Indices ("I:SPX") come from a cluster of their own and have a value, but no trades and no quotes. */
export function isIndex(symbol: string): boolean {
  return symbol.startsWith('I:');
}
