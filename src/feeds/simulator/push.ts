import { MICROS_PER_SHARE } from './bar-window.ts';
import type { Connection } from './connection.ts';
import type { Instrument } from './instrument.ts';
import type { Tape } from './tape.ts';

type Element = Readonly<Record<string, unknown>>;

/** Sends hand-made elements, one frame per connection, and puts trades and quotes of listed symbols on record. */
export function pushElements(
  elements: readonly unknown[],
  { tape, connections }: { tape: Tape; connections: Iterable<Connection> },
): void {
  const parts = elements.map((element) => ({ text: JSON.stringify(element) ?? 'null', pair: pairOf(element) }));
  for (const connection of connections) {
    if (connection.plan === null) continue;
    const heard = parts.filter(({ pair }) => {
      if (pair === null) return true;
      return connection.pairs.has(`${pair.topic}.${pair.symbol}`) || connection.pairs.has(`${pair.topic}.*`);
    });
    connection.say(heard.map(({ text }) => text));
  }
  for (const element of elements) record(element, tape);
}

/** `null`: no event with a topic and a symbol. */
function pairOf(element: unknown): { topic: string; symbol: string } | null {
  if (typeof element !== 'object' || element === null) return null;
  const { ev, sym, T, pair, p } = element as Element;
  const symbol = [sym, T, pair, p].find((value) => typeof value === 'string');
  return typeof ev === 'string' && ev !== 'status' && symbol !== undefined ? { topic: ev, symbol } : null;
}

function record(element: unknown, tape: Tape): void {
  if (typeof element !== 'object' || element === null) return;
  const fields = element as Element;
  const instrument = tape.market.findInstrument(String(fields['sym']));
  if (instrument === undefined) return;
  if (fields['ev'] === 'T') recordTrade(fields, instrument, tape);
  else if (fields['ev'] === 'Q') recordQuote(fields, instrument);
}

function recordTrade(fields: Element, instrument: Instrument, tape: Tape): void {
  const { i, x, p, s, ds, c, t, pt, q, trfi, trft } = fields;
  const shares = Number(ds ?? s);
  if (!isPositive(p) || !isPositive(t) || !(shares >= 0)) return;
  const conditions = Array.isArray(c) ? c.filter((id): id is number => Number.isInteger(id)) : [];
  tape.record(instrument, {
    time: t,
    nanos: 0,
    participantTime: isPositive(pt) ? pt : t,
    trfTime: isPositive(trft) ? trft : 0,
    trf: isPositive(trfi) ? trfi : 0,
    price: p,
    micros: Math.round(shares * MICROS_PER_SHARE),
    exchange: isPositive(x) ? x : 0,
    conditionSet: tape.conditionSets.intern(conditions).index,
    sequence: isPositive(q) ? q : 0,
    id: typeof i === 'number' || typeof i === 'string' ? i : '',
  });
}

function recordQuote(fields: Element, instrument: Instrument): void {
  const { bp, ap, bs, as, bx, ax, t, pt, q } = fields;
  if (typeof bp !== 'number' || typeof ap !== 'number' || !isPositive(t)) return;
  instrument.bidTicks = Math.round(bp * instrument.character.ticksPerUnit);
  instrument.askTicks = Math.round(ap * instrument.character.ticksPerUnit);
  instrument.bidSize = isPositive(bs) ? bs : 0;
  instrument.askSize = isPositive(as) ? as : 0;
  instrument.bidExchange = isPositive(bx) ? bx : 0;
  instrument.askExchange = isPositive(ax) ? ax : 0;
  instrument.quoteTime = t;
  instrument.quoteParticipantTime = isPositive(pt) ? pt : t;
  instrument.quoteSequence = isPositive(q) ? q : 0;
}

function isPositive(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0;
}
