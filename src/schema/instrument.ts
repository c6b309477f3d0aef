import { MAX_INSTRUMENTS } from '../delivery/reads.ts';
import { ClientError } from '../errors.ts';
import type { Instrument as Line, InstrumentKind as Kind } from '../market/instrument.ts';
import { builder, checkCount } from './builder.ts';
import { assertMarketData } from './viewer-data.ts';

const KINDS: Readonly<Record<Kind, { readonly description: string }>> = {
  STOCK: { description: 'A common stock or a depositary receipt.' },
  ETF: { description: 'An exchange-traded fund, note or vehicle.' },
  INDEX: { description: 'An index: it has values, and no trades.' },
  OTHER: { description: 'A warrant, a unit, a preferred share or whatever else is listed.' },
};

const InstrumentKind = builder.enumType('InstrumentKind', { description: 'What a symbol names.', values: KINDS });

const Instrument = builder.objectRef<Line>('Instrument').implement({
  description: 'What can be asked for by its symbol.',
  fields: (t) => ({
    symbol: t.field({ type: 'Symbol', description: 'The symbol.', resolve: (line) => line.symbol }),
    name: t.exposeString('name', { nullable: true, description: 'Its name; null where the upstream tells none.' }),
    kind: t.field({ type: InstrumentKind, description: 'What it is.', resolve: (line) => line.kind }),
  }),
});

/** The longest text that can be searched for. */
const MAX_LENGTH = 64;

builder.queryFields((t) => ({
  instruments: t.field({
    type: [Instrument],
    description:
      'Stocks and indices whose symbol or name has this text in it, the likeliest first: the symbol itself, symbols that begin so, names that do.',
    args: {
      search: t.arg.string({ required: true, description: '1 to 64 characters; capitals make no difference.' }),
      first: t.arg.int({ required: true, defaultValue: 20, description: 'How many at the most, 1 to 100.' }),
    },
    resolve: (_root, { search, first }, context) => {
      assertMarketData(context);
      const text = search.trim();
      if (text.length < 1 || text.length > MAX_LENGTH) {
        throw new ClientError('BAD_USER_INPUT', `Argument "search": must have 1 to ${MAX_LENGTH} characters`, {
          argument: 'search',
        });
      }
      return context.reads.searchInstruments(text, checkCount('first', first, MAX_INSTRUMENTS));
    },
  }),
}));
