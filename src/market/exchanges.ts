/** A market centre by the upstream's numbering. */
export type Exchange = {
  readonly id: number;
  /** ISO 10383 market identifier; `null` where there is none, or where several share the id. */
  readonly mic: string | null;
  readonly name: string;
  /** Its letter on the consolidated tape, or `null`. */
  readonly participant: string | null;
};

/** Trades reported to FINRA: dark pools and wholesalers. Its four facilities (FINY, FINN, FINC, XADF) share the id. */
export const OFF_EXCHANGE_ID = 4;

const ROWS: readonly (readonly [id: number, mic: string | null, participant: string | null, name: string])[] = [
  [1, 'XASE', 'A', 'NYSE American'],
  [2, 'XBOS', 'B', 'Nasdaq BX'],
  [3, 'XCIS', 'C', 'NYSE National'],
  [OFF_EXCHANGE_ID, null, 'D', 'FINRA trade reporting facility'],
  [5, null, 'E', 'Unlisted Trading Privileges (UTP SIP)'],
  [6, 'XISE', 'I', 'International Securities Exchange'],
  [7, 'EDGA', 'J', 'Cboe EDGA'],
  [8, 'EDGX', 'K', 'Cboe EDGX'],
  [9, 'XCHI', 'M', 'NYSE Chicago'],
  [10, 'XNYS', 'N', 'New York Stock Exchange'],
  [11, 'ARCX', 'P', 'NYSE Arca'],
  [12, 'XNAS', 'T', 'Nasdaq'],
  [13, null, 'S', 'Consolidated Tape Association (CTA SIP)'],
  [14, 'LTSE', 'L', 'Long-Term Stock Exchange'],
  [15, 'IEXG', 'V', 'Investors Exchange'],
  [16, 'CBSX', 'W', 'Cboe Stock Exchange'],
  [17, 'XPHL', 'X', 'Nasdaq PSX'],
  [18, 'BATY', 'Y', 'Cboe BYX'],
  [19, 'BATS', 'Z', 'Cboe BZX'],
  [20, 'EPRL', 'H', 'MIAX Pearl'],
  [21, 'MEMX', 'U', 'Members Exchange'],
  [22, '24EQ', null, '24X National Exchange'],
  [62, 'OOTC', null, 'OTC equity security'],
];

const BY_ID: ReadonlyMap<number, Exchange> = new Map(
  ROWS.map(([id, mic, participant, name]) => [id, Object.freeze({ id, mic, name, participant })]),
);

/** The exchange of this id. New ones open before a table knows them: an unknown id is called by its number. */
export function exchangeOf(id: number): Exchange {
  return BY_ID.get(id) ?? { id, mic: null, name: `Exchange ${id}`, participant: null };
}

export function isKnownExchange(id: number): boolean {
  return BY_ID.has(id);
}

/** All that the table knows. */
export function listExchanges(): readonly Exchange[] {
  return [...BY_ID.values()];
}
