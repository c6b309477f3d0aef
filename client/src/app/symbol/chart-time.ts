import type { UTCTimestamp } from 'lightweight-charts';
import type { BarInterval } from '../../gql/graphql.ts';
import { formatTime } from '../format/time.ts';

/**
 * Between times of candles and those of the chart, which knows but one clock and takes its labels' days from it. Within a day
 * that is the reader's, as everywhere on the page, by one offset for all candles: a clock that is set back in autumn would
 * show an hour twice, and the chart takes no time twice. Labels are written from the true time. A candle of a whole day stands
 * at its date at the exchange.
 */
export class ChartTime {
  readonly #interval: BarInterval;
  readonly #offsetMs: number;

  /** `newest`: the start of the newest candle, whose offset all have. */
  constructor(interval: BarInterval, newest: number) {
    this.#interval = interval;
    this.#offsetMs = interval === 'DAY' ? 0 : -new Date(newest).getTimezoneOffset() * 60_000;
  }

  toChart(start: number): UTCTimestamp {
    const ms = this.#interval === 'DAY' ? dateOf(start) : start + this.#offsetMs;
    return (ms / 1000) as UTCTimestamp;
  }

  /** Of a time of the chart: to the second, the minute or the day, as the candle is long. */
  format(time: UTCTimestamp): string {
    const ms = time * 1000;
    if (this.#interval === 'DAY') return dates.format(ms);
    const at = ms - this.#offsetMs;
    return this.#interval === 'SECOND' ? `${localDays.format(at)} ${formatTime(at)}` : localMinutes.format(at);
  }

  /** What stands below the chart. `span`: what begins there. */
  formatMark(time: UTCTimestamp, span: 'year' | 'month' | 'day' | 'time'): string {
    const ms = time * 1000;
    const isDay = this.#interval === 'DAY';
    const at = isDay ? ms : ms - this.#offsetMs;
    if (span === 'time') return this.#interval === 'SECOND' ? formatTime(at) : marks.format(at);
    const format = (isDay ? UTC_SPANS : LOCAL_SPANS)[span];
    return format.format(at);
  }
}

/** Of a candle, for a sentence: "20 Nov 2026, 14:30". */
export function formatStart(interval: BarInterval, start: number): string {
  if (interval === 'DAY') return dates.format(dateOf(start));
  return interval === 'SECOND' ? `${localDays.format(start)}, ${formatTime(start)}` : localMinutes.format(start);
}

const exchangeDay = new Intl.DateTimeFormat('en-CA', { timeZone: 'America/New_York' });
const dates = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
const localDays = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const localMinutes = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
});
const marks = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });

const spansOf = (timeZone: 'UTC' | undefined) => ({
  year: new Intl.DateTimeFormat('en-GB', { year: 'numeric', timeZone }),
  month: new Intl.DateTimeFormat('en-GB', { month: 'short', timeZone }),
  day: new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone }),
});
const UTC_SPANS = spansOf('UTC');
const LOCAL_SPANS = spansOf(undefined);

/** Midnight, UTC, of the exchange's date then. */
function dateOf(start: number): number {
  return Date.parse(exchangeDay.format(start));
}
