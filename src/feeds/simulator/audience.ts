import type { Connection } from './connection.ts';

/** Who listens to what of one cluster: by topic, by symbol. */
export class Audience {
  readonly #bySymbol = new Map<string, Set<Connection>>();
  readonly #everything = new Set<Connection>();

  add(symbol: string, connection: Connection): void {
    if (symbol === '*') {
      this.#everything.add(connection);
      return;
    }
    const listeners = this.#bySymbol.get(symbol);
    if (listeners === undefined) this.#bySymbol.set(symbol, new Set([connection]));
    else listeners.add(connection);
  }

  remove(symbol: string, connection: Connection): void {
    if (symbol === '*') {
      this.#everything.delete(connection);
      return;
    }
    const listeners = this.#bySymbol.get(symbol);
    if (listeners?.delete(connection) && listeners.size === 0) this.#bySymbol.delete(symbol);
  }

  wants(symbol: string): boolean {
    return this.#everything.size > 0 || this.#bySymbol.has(symbol);
  }

  /** Each listener once, also one that holds both the symbol and `*`. */
  send(symbol: string, element: string): void {
    for (const connection of this.#everything) connection.append(element);
    const listeners = this.#bySymbol.get(symbol);
    if (listeners === undefined) return;
    for (const connection of listeners) if (!this.#everything.has(connection)) connection.append(element);
  }
}
