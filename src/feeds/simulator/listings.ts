import { readFileSync } from 'node:fs';
import type { Tape } from '../../market/trade.ts';

export type Listing = {
  readonly symbol: string;
  readonly name: string;
  /** Common stock or exchange-traded fund. */
  readonly type: 'CS' | 'ETF';
  readonly tape: Tape;
  /** USD; invented, around which the history and the tape are made. */
  readonly price: number;
};

/** What an index is made of: the first `members` common stocks of the listings, weighted by price and rank. */
export type IndexListing = {
  readonly symbol: string;
  readonly name: string;
  /** Points; invented. */
  readonly level: number;
  /** Which listings it holds. */
  readonly holds: (listing: Listing, rank: number) => boolean;
  /** How many times the members' return it moves; negative for a measure of fear. */
  readonly beta: number;
};

/** The most active first. */
export const LISTINGS: readonly Listing[] = readListings();

const isStock = (listing: Listing): boolean => listing.type === 'CS';

export const INDICES: readonly IndexListing[] = [
  { symbol: 'I:SPX', name: 'S&P 500', level: 6_112.4, beta: 1, holds: isStock },
  {
    symbol: 'I:COMP',
    name: 'Nasdaq Composite',
    level: 21_874.2,
    beta: 1,
    holds: (listing) => isStock(listing) && listing.tape === 'C',
  },
  {
    symbol: 'I:DJI',
    name: 'Dow Jones Industrial Average',
    level: 46_218.9,
    beta: 1,
    holds: (listing, rank) => isStock(listing) && listing.tape === 'A' && rank < 200,
  },
  { symbol: 'I:VIX', name: 'Cboe Volatility Index', level: 17.3, beta: -6, holds: isStock },
  {
    symbol: 'I:NDX',
    name: 'Nasdaq-100',
    level: 24_316.7,
    beta: 1,
    holds: (listing, rank) => isStock(listing) && listing.tape === 'C' && rank < 250,
  },
  {
    symbol: 'I:RUT',
    name: 'Russell 2000',
    level: 2_381.6,
    beta: 1,
    holds: (listing, rank) => isStock(listing) && rank > 250,
  },
  {
    symbol: 'I:SOX',
    name: 'PHLX Semiconductor',
    level: 6_742.8,
    beta: 1,
    holds: (listing) =>
      /Semiconductor|NVIDIA|Micro|Broadcom|Intel|QUALCOMM|Lam|KLA|Marvell/.test(listing.name) && isStock(listing),
  },
];

/** Symbols per listing exchange: the id of the exchange where the opening and closing crosses are held. */
export const PRIMARY_EXCHANGE: Readonly<Record<Tape, { readonly id: number; readonly mic: string }>> = {
  A: { id: 10, mic: 'XNYS' },
  B: { id: 11, mic: 'ARCX' },
  C: { id: 12, mic: 'XNAS' },
};

function readListings(): Listing[] {
  const [, ...lines] = readFileSync(new URL('./listings.csv', import.meta.url), 'utf8')
    .trim()
    .split('\n');
  return lines.map((line) => {
    const match = /^([\w.]+),(CS|ETF),([ABC]),([\d.]+),"?(.+?)"?$/.exec(line);
    if (match === null) throw new Error(`listings.csv: not a listing: ${line}`);
    const [, symbol, type, tape, price, name] = match;
    return { symbol: symbol!, type: type as Listing['type'], tape: tape as Tape, price: Number(price), name: name! };
  });
}
