import { MICROS_PER_SHARE, formatShares } from './bar-window.ts';
import type { BarWindow } from './bar-window.ts';
import type { ConditionSet } from './condition-set.ts';
import { Index } from './instrument.ts';
import type { Instrument } from './instrument.ts';
import type { Print } from './print-log.ts';

// Elements are put together as text: at a hundred thousand a second JSON.stringify of an object made for the purpose
// costs twice as much. Symbols need no escaping, numbers print as JSON does.

export function encodePrint(instrument: Instrument, print: Print, conditions: ConditionSet): string {
  const facility = print.trf === 0 ? '' : `,"trfi":${print.trf},"trft":${print.trfTime}`;
  return (
    `{"ev":"T","sym":"${instrument.symbol}","i":"${print.id}","x":${print.exchange},"p":${print.price}` +
    `,"s":${Math.floor(print.micros / MICROS_PER_SHARE)}${conditions.json},"t":${print.time}` +
    `,"pt":${print.participantTime},"q":${print.sequence},"z":${instrument.tapeNumber}${facility}` +
    `,"ds":"${formatShares(print.micros)}"}`
  );
}

export function encodeQuote(instrument: Instrument): string {
  return (
    `{"ev":"Q","sym":"${instrument.symbol}","i":[604],"bx":${instrument.bidExchange},"ax":${instrument.askExchange}` +
    `,"bp":${instrument.bid},"ap":${instrument.ask},"bs":${instrument.bidSize},"as":${instrument.askSize}` +
    `,"t":${instrument.quoteTime},"pt":${instrument.quoteParticipantTime},"q":${instrument.quoteSequence}` +
    `,"z":${instrument.tapeNumber}}`
  );
}

/** @param fractionalSize writes the average size as `12.0`, as the live feed has been seen to do */
export function encodeBar(
  item: Instrument | Index,
  interval: 'A' | 'AM',
  bar: BarWindow,
  fractionalSize = false,
): string {
  const prices = `"o":${bar.open},"c":${bar.close},"h":${bar.high},"l":${bar.low}`;
  const window = `"s":${bar.start},"e":${bar.start + (interval === 'A' ? 1_000 : 60_000)}`;
  if (item instanceof Index) {
    return `{"ev":"${interval}","sym":"${item.symbol}","op":${item.day.open},${prices},${window}}`;
  }
  const { day } = item;
  return (
    `{"ev":"${interval}","sym":"${item.symbol}","v":${Math.floor(bar.micros / MICROS_PER_SHARE)}` +
    `,"av":${Math.floor(day.micros / MICROS_PER_SHARE)},"op":${item.officialOpen},"vw":${bar.vwap},${prices}` +
    `,"a":${day.vwap},"z":${bar.averageSize}${fractionalSize ? '.0' : ''},${window}` +
    `,"dv":"${formatShares(bar.micros)}","dav":"${formatShares(day.micros)}"}`
  );
}

/** How far the limit-up limit-down bands are from the last price. */
const BAND_WIDTH = 0.05;

export function encodeBand(instrument: Instrument, time: number, indicator: number): string {
  const price = instrument.lastPrice;
  const high = Math.round(price * (1 + BAND_WIDTH) * 100) / 100;
  const low = Math.round(price * (1 - BAND_WIDTH) * 100) / 100;
  return (
    `{"ev":"LULD","T":"${instrument.symbol}","h":${high},"l":${low},"i":[${indicator}],"z":${instrument.tapeNumber}` +
    `,"t":${toNanoseconds(time)},"q":${instrument.quoteSequence}}`
  );
}

export function encodeIndexValue(index: Index): string {
  return `{"ev":"V","val":${index.value},"T":"${index.symbol}","t":${index.time}}`;
}

/**
 * Nanoseconds as the vendor's JSON has them: a number past 2^53, so that the last two or three digits are rounded.
 *
 * @param nanos beyond the millisecond, 1,000 to 999,000: rounding then stays within it
 */
export function toNanoseconds(timeMs: number, nanos = 1_000): number {
  return timeMs * 1e6 + nanos;
}

export function quoteNanoseconds(instrument: Instrument): number {
  return toNanoseconds(instrument.quoteTime, 1_000 + ((instrument.quoteSequence * 7_919) % 998_000));
}
