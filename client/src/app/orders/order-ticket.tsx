export function OrderTicket({ symbol }: { readonly symbol: string }) {
  return <h2>Order {symbol}</h2>;
}
