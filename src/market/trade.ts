import type { LogPosition } from './log.ts';

export type Tape = 'A' | 'B' | 'C';

/** One print of the tape, as the upstream reported it. Times are Unix milliseconds. */
export type Trade = {
  readonly kind: 'trade';
  /** Unique per symbol, exchange and trade reporting facility; the upstream's own id is not unique alone. */
  readonly id: string;
  readonly symbol: string;
  readonly price: number;
  /** Shares; fractions are possible. */
  readonly size: number;
  /** The exchange's id in the upstream's numbering; see exchanges.ts. Unknown ids pass through. */
  readonly exchange: number;
  /** Sale condition ids; empty for a regular sale. See conditions.ts. */
  readonly conditions: readonly number[];
  readonly tape: Tape | null;
  /** Reported through a FINRA trade reporting facility: a dark pool or a wholesaler, the tape does not say which. */
  readonly offExchange: boolean;
  /** The SIP's time. */
  readonly timestamp: number;
  /** When ingest read it. */
  readonly receivedAt: number;
};

/** A print with its place in the log, given by the single writer. */
export type LoggedTrade = Trade &
  LogPosition & {
    /** Per symbol, contiguous, from 1: a hole means that this reader missed a print. */
    readonly sequence: number;
    /** The upstream was interrupted just before: prints may be missing. */
    readonly gapBefore: boolean;
  };
