export function OrdersPanel() {
  return <h2>Orders</h2>;
}
