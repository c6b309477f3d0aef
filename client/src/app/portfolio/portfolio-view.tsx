export function PortfolioView() {
  return <h1>Portfolio</h1>;
}
