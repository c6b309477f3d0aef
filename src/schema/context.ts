import type { Viewer } from '../access/viewer.ts';
import type { Hub } from '../delivery/hub.ts';
import type { Reads } from '../delivery/reads.ts';
import type { StatusBoard } from '../delivery/status-board.ts';
import type { ResumePoint } from '../delivery/resume.ts';
import type { HoldingSession, RunningOperation } from '../delivery/subscribe.ts';
import type { ViewerStreams } from '../delivery/viewer-streams.ts';
import type { LedgerAccess } from '../ledger/ledger-door.ts';
import type { ReferenceBook } from '../market/reference-book.ts';

/** What every resolver is given that is the same for all operations, for no market data depends on who asks. */
export type SharedContext = {
  readonly hub: Pick<Hub, 'openQuotes' | 'openTrades' | 'openBars'>;
  readonly reads: Reads;
  readonly status: StatusBoard;
  readonly reference: ReferenceBook;
  /** What belongs to one viewer is read for that viewer only, whom the resolver names. */
  readonly ledger: LedgerAccess;
  readonly viewerStreams: ViewerStreams;
  readonly limits: { readonly maxSymbols: number };
  /** Whether who has not signed in may read market data. */
  readonly anonymousMarketData: boolean;
};

/** What a resolver is given. */
export type SchemaContext = SharedContext & {
  /** Who asks; `null`: anonymous. */
  readonly viewer: Viewer | null;
  /** Whose subscriptions end with the viewer's time; `null`: nobody is signed in. */
  readonly session: HoldingSession | null;
  /** Where this operation asks to go on in the log. */
  readonly resume: ResumePoint;
  readonly running: RunningOperation;
};
