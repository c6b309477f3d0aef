export function TradeToasts() {
  return null;
}
