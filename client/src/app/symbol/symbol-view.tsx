export function SymbolView({ symbol }: { readonly symbol: string }) {
  return <h1>{symbol}</h1>;
}
