/* What the upstream sends, as it stands on the wire, for tests that look at one or two of its fields. */

export type WireElement = Readonly<Record<string, unknown>>;

let lastSequence = 0;

/** A regular trade on Nasdaq; every one has an id and a sequence number of its own. */
export function makeWireTrade(symbol: string, fields: WireElement = {}): WireElement {
  const sequence = ++lastSequence;
  const now = Date.now();
  return {
    ev: 'T',
    sym: symbol,
    i: String(sequence),
    x: 12,
    p: 100,
    s: 100,
    ds: '100.0',
    t: now,
    pt: now,
    q: sequence,
    z: 3,
    ...fields,
  };
}

export function makeWireQuote(symbol: string, fields: WireElement = {}): WireElement {
  const now = Date.now();
  const sequence = ++lastSequence;
  return {
    ev: 'Q',
    sym: symbol,
    bx: 15,
    ax: 12,
    bp: 99.99,
    ap: 100.01,
    bs: 200,
    as: 300,
    t: now,
    q: sequence,
    z: 3,
    ...fields,
  };
}

/** `A`: of one second, `AM`: of one minute; the last one that has ended. */
export function makeWireBar(symbol: string, kind: 'A' | 'AM', fields: WireElement = {}): WireElement {
  const length = kind === 'A' ? 1000 : 60_000;
  const end = Math.floor(Date.now() / length) * length;
  return {
    ev: kind,
    sym: symbol,
    v: 500,
    av: 10_000,
    op: 99,
    vw: 100.02,
    o: 100,
    c: 100.05,
    h: 100.1,
    l: 99.95,
    a: 100,
    z: 50,
    s: end - length,
    e: end,
    ...fields,
  };
}
