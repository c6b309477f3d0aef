import { expect, it } from 'vitest';
import { type Instrument, rankInstruments } from './instrument.ts';

const stock = (symbol: string, name: string | null = null): Instrument => ({ symbol, name, kind: 'STOCK' });

it('puts the symbol itself first, then what begins so, then names, then the rest; each once', () => {
  const found = [
    stock('ZF', 'Virtus'),
    stock('FTNT', 'Fortinet'),
    stock('AB', 'f holdings'),
    stock('FA', 'First Advantage'),
    stock('F', 'Ford Motor'),
    stock('I:F', 'An index'),
    stock('F', 'Ford Motor'),
    stock('BF', null),
  ];
  expect(rankInstruments(found, 'f').map(({ symbol }) => symbol)).toEqual(['F', 'I:F', 'FA', 'FTNT', 'AB', 'BF', 'ZF']);
});
