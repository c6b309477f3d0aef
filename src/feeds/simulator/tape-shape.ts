/**
 * The shape of the generated tape, as data. Most shares were counted over one NYSE stock on 2018-01-02 and 03; two are
 * scaled to today: odd lots were 45 % of prints then and are 65 to 70 % now, off-exchange prints were 31 % and are 45 to 50 %.
 */
export const SHAPE = {
  /** Of all trades and quotes: 25.9 million trades stood beside 45.5 million quotes on a busy day. */
  tradeShare: 0.36,
  /** Prints of one sweep share a millisecond: 54 % of prints have the time of the one before. */
  printsPerCluster: 2.19,
  /** A few sweeps go through many resting orders. */
  largeSweepShare: 0.03,
  printsPerLargeSweep: 12,
  /** Quotes of a cluster that prints (one before, others after), and of one that does not. */
  quotesPerTradeCluster: 2,
  quotesPerQuoteCluster: 2.35,
  /** A cluster calls forth others of the same symbol: their mean number, and the mean delay. */
  branching: 0.35,
  branchDelayMs: 400,
  oddLotShare: 0.67,
  offExchangeShare: 0.47,
  /** Of off-exchange prints: wholesalers' price improvement of fractions of a cent, or the midpoint. */
  subPennyShareOffExchange: 0.33,
  midpointShareOffExchange: 0.12,
  midpointShareOnExchange: 0.05,
  /** Of off-exchange prints: orders in dollars, of a part of a share; more where private investors are at home. */
  subShareOffExchange: { popular: 0.35, other: 0.1, popularRanks: 50 },
  /** Of off-exchange prints: reported seconds late. */
  lateReportShare: 0.01,
  lateReportMs: 8_000,
  /** Of on-exchange prints: intermarket sweeps; and of sweeps and others, those that may trade through. */
  sweepShareOnExchange: 0.57,
  tradeThruShareOfSweeps: 0.8,
  tradeThruShareOfOthers: 0.1,
  /** Of prints of at least a round lot: not a multiple of it. Of odd lots off exchange: not whole shares. */
  mixedLotShare: 0.15,
  fractionalOddLotShare: 0.08,
  /** Mean shares of a print, as a share of a round lot: what the distributions here come to. */
  meanLots: 0.85,
} as const;

const { tradeShare, printsPerCluster, quotesPerTradeCluster, quotesPerQuoteCluster } = SHAPE;
const clusterTradeShare =
  (tradeShare * quotesPerQuoteCluster) /
  (printsPerCluster - tradeShare * (printsPerCluster + quotesPerTradeCluster - quotesPerQuoteCluster));

/** What follows from the shape. */
export const CLUSTERS = {
  /** The share of clusters with prints that makes prints `tradeShare` of all events. */
  tradeShare: clusterTradeShare,
  /** Trades and quotes of a cluster, on average. */
  meanEvents:
    clusterTradeShare * (printsPerCluster + quotesPerTradeCluster) + (1 - clusterTradeShare) * quotesPerQuoteCluster,
  /** Prints of a cluster that is no large sweep. */
  printsPerSmall: (printsPerCluster - SHAPE.largeSweepShare * SHAPE.printsPerLargeSweep) / (1 - SHAPE.largeSweepShare),
} as const;

/** How on-exchange prints of a stock listed at NYSE divide; participants that came later have small shares. */
export const EXCHANGE_SHARES: readonly (readonly [exchange: number, share: number])[] = [
  [12, 0.172],
  [10, 0.1456],
  [8, 0.0902],
  [11, 0.0775],
  [19, 0.0703],
  [2, 0.0551],
  [18, 0.0427],
  [15, 0.0221],
  [21, 0.03],
  [20, 0.012],
  [7, 0.0095],
  [17, 0.0048],
  [1, 0.0044],
  [22, 0.001],
  [3, 0.001],
  [14, 0.0003],
  [9, 0.0001],
];

/** The two trade reporting facilities that carry nearly all off-exchange prints. */
export const TRF_SHARES: readonly (readonly [id: number, share: number])[] = [
  [202, 0.82],
  [201, 0.16],
  [203, 0.02],
];

/** Sizes of prints of at least a round lot, in round lots (median 1, 90 % within 2, 99 % within 7, 99.9 % within 30). */
export const ROUND_LOTS: readonly (readonly [lots: number, share: number])[] = [
  [1, 0.72],
  [2, 0.13],
  [3, 0.05],
  [4, 0.03],
  [5, 0.03],
  [7, 0.015],
  [10, 0.015],
  [20, 0.007],
  [50, 0.002],
  [100, 0.001],
];

/** Rare sale conditions, as a share of all prints. */
export const RARE_CONDITIONS: readonly (readonly [conditions: readonly number[], share: number])[] = [
  [[10, 2], 0.0039],
  [[53, 52], 0.0003],
  [[20], 0.0003],
  [[32], 0.0002],
  [[10], 0.0001],
  [[29], 0.0001],
  [[21], 0.0001],
  [[22], 0.0001],
  [[7], 0.0001],
];

/** Share of a day's trades in each five minutes from 09:30, for New York hours. */
// oxfmt-ignore
export const FIVE_MINUTE_SHARES: readonly number[] = [
  0.02125, 0.0189, 0.01331, 0.02052, 0.01307, 0.01222, 0.01463, 0.01318, 0.01456, 0.01147, 0.01635, 0.01245, 0.01151,
  0.01925, 0.02354, 0.0214, 0.01465, 0.01426, 0.01095, 0.01097, 0.01166, 0.01176, 0.01087, 0.01074, 0.00941, 0.01393,
  0.01228, 0.0113, 0.01484, 0.01004, 0.00936, 0.01202, 0.00859, 0.00832, 0.00739, 0.00897, 0.00848, 0.00777, 0.00952,
  0.00922, 0.00993, 0.0069, 0.00857, 0.00588, 0.00768, 0.00855, 0.00821, 0.00772, 0.00668, 0.00978, 0.01131, 0.00917,
  0.01155, 0.00943, 0.00956, 0.01181, 0.01185, 0.01203, 0.0088, 0.01097, 0.01233, 0.01097, 0.01148, 0.01073, 0.01026,
  0.01247, 0.01122, 0.0131, 0.0106, 0.00939, 0.01303, 0.01228, 0.01653, 0.02047, 0.01712, 0.02337, 0.03122, 0.05217,
];

/** Activity before 09:30 and after 16:00, against the average of the regular session. */
export const EXTENDED_HOURS_ACTIVITY = 0.03;

/** Shares of one round lot, by price (the SIPs' tiers since November 2025). */
export function roundLotOf(price: number): number {
  if (price <= 250) return 100;
  if (price <= 1_000) return 40;
  if (price <= 10_000) return 10;
  return 1;
}
