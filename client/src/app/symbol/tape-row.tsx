import { memo } from 'react';
import { formatQuantity } from '../format/quantity.ts';
import { formatTime } from '../format/time.ts';
import type { HoleRow, Print, PrintRow, TapeRow } from './tape-log.ts';
import './tape-row.css';

const ARROWS = { up: '▲', down: '▼', same: '' } as const;
const TICK_CLASSES = { up: 'up', down: 'down', same: '' } as const;
const ODD_LOT = 37;

/** Prints off exchange are in fractions of a cent. */
const prices = new Intl.NumberFormat('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 4 });
const sizes = new Intl.NumberFormat('en-US', { maximumFractionDigits: 3 });
const money = new Intl.NumberFormat('en-US', { style: 'currency', currency: 'USD', maximumFractionDigits: 0 });

/** One row of the tape. It never changes: what it shows has happened. */
export const TapeRowView = memo(function TapeRowView({ row, top }: { readonly row: TapeRow; readonly top: number }) {
  return row.kind === 'print' ? <PrintLine row={row} top={top} /> : <HoleLine row={row} top={top} />;
});

function PrintLine({ row: { print, tick }, top }: { readonly row: PrintRow; readonly top: number }) {
  const { price, size, notional, exchange, conditions, offExchange, sequence, timestamp } = print;
  const share = shareOf(notional);
  return (
    <div
      role="row"
      className={`tape-row tape-columns ${isOddLot(print) ? 'tape-odd' : ''} ${share === 1 ? 'tape-block' : ''}`}
      style={{ transform: `translateY(${top}px)` }}
      data-sequence={sequence}
      title={describePrint(print)}
    >
      <span role="cell" className="num tape-time">
        {formatTime(timestamp)}
      </span>
      <span role="cell" className={`num tape-price ${TICK_CLASSES[tick]}`}>
        <span className="tape-arrow" aria-hidden="true">
          {ARROWS[tick]}
        </span>
        {prices.format(price)}
      </span>
      <span role="cell" className="num tape-size">
        {share > 0 ? <span className="tape-share" style={{ width: `${Math.round(share * 100)}%` }} /> : null}
        {sizes.format(size)}
      </span>
      <span role="cell" className="tape-venue">
        {offExchange ? 'FINRA' : (exchange.mic ?? exchange.name)}
      </span>
      <span role="cell" className="tape-marks">
        {offExchange ? (
          <span className="tape-off">
            <span className="visually-hidden">off exchange</span>
          </span>
        ) : null}
        <span className="tape-conditions">{conditions.map(({ name }) => name).join(', ')}</span>
      </span>
    </div>
  );
}

function HoleLine({ row, top }: { readonly row: HoleRow; readonly top: number }) {
  return (
    <div
      role="row"
      className={`tape-row tape-hole ${row.cause === 'joined' ? 'tape-joint' : ''}`}
      style={{ transform: `translateY(${top}px)` }}
      title={HOLE_TITLES[row.cause]}
    >
      <span role="cell" className="tape-hole-text">
        {describeHole(row)}
      </span>
    </div>
  );
}

const HOLE_TITLES = {
  missed: 'Their numbers are left out',
  expired: 'The server no longer kept what was printed meanwhile',
  upstream: 'The feed was interrupted, or nobody watched this symbol',
  joined: 'What is below was read from the history when this view was opened',
} as const;

function describeHole({ cause, missing }: HoleRow): string {
  const count = missing === null ? 'Prints' : missing === 1 ? '1 print' : `${formatQuantity(missing)} prints`;
  switch (cause) {
    case 'missed':
      return `${count} missing`;
    case 'expired':
      return missing === null ? 'Away too long: prints are missing' : `Away too long: ${count} missing`;
    case 'upstream':
      return missing === null ? 'Prints may be missing here' : `${count} missing, and perhaps more`;
    case 'joined':
      return 'Live from here';
  }
}

/** All that the line has no room for. */
function describePrint({ offExchange, exchange, conditions, size, notional, sequence }: Print): string {
  const kind = offExchange ? 'Off exchange: a dark pool or a wholesaler, reported to FINRA' : exchange.name;
  const names = conditions.map(({ name }) => name).join(', ');
  const amount = `${formatQuantity(size)} shares, ${money.format(notional)}`;
  return [kind, names, amount, `#${sequence}`].filter((part) => part !== '').join(' · ');
}

function isOddLot({ conditions }: Print): boolean {
  return conditions.some(({ id }) => id === ODD_LOT);
}

/** From $10,000 to a block of $1,000,000, by magnitude: nothing below, all of the width above. */
function shareOf(notional: number): number {
  return Math.min(1, Math.max(0, Math.log10(notional / 10_000) / 2));
}
