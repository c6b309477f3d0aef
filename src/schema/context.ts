import type { Hub } from '../delivery/hub.ts';
import type { Reads } from '../delivery/reads.ts';
import type { StatusBoard } from '../delivery/status-board.ts';
import type { ReferenceBook } from '../market/reference-book.ts';

/** What every resolver is given: the same for all requests, for no market data depends on who asks. */
export type SchemaContext = {
  readonly hub: Pick<Hub, 'openQuotes' | 'openTrades' | 'openBars'>;
  readonly reads: Reads;
  readonly status: StatusBoard;
  readonly reference: ReferenceBook;
  readonly limits: { readonly maxSymbols: number };
};
