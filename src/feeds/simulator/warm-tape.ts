import { createCalendar } from '../../market/calendar.ts';
import { MarketState } from './market-state.ts';
import { ContinuousSchedule, NewYorkSchedule } from './schedule.ts';
import type { Settings } from './simulator-options.ts';
import { Tape } from './tape.ts';
import type { TapeListener } from './tape.ts';

/** The tape has run for this long before the doors open, but for no more events than that, so that there is something to ask for. */
const WARM_UP_MS = 30_000;
const WARM_UP_EVENTS = 150_000;

/** A tape that has run until now, so that quotes, prints and bars are there from the first question on. */
export function startWarmTape(settings: Settings, now: number): Tape {
  const { seed, symbols, eventsPerSecond } = settings;
  const schedule = settings.newYorkHours ? new NewYorkSchedule(createCalendar()) : new ContinuousSchedule();
  const warmUpMs = settings.tape ? Math.min(WARM_UP_MS, (WARM_UP_EVENTS / eventsPerSecond) * 1_000) : 0;
  // From a whole minute on where that is affordable, so that the first minute's bar is a whole one too.
  const fromMinute = Math.floor((now - warmUpMs) / 60_000) * 60_000;
  const affordable = ((now - fromMinute) / 1_000) * eventsPerSecond <= WARM_UP_EVENTS;
  const startAt = settings.tape && affordable ? fromMinute : now - warmUpMs;
  const tape = new Tape({
    market: new MarketState({ seed, symbols, eventsPerSecond, schedule, beganAt: startAt }),
    seed,
    eventsPerSecond,
    generates: settings.tape,
    startAt,
    printCapacity: settings.printCapacity,
    listener: DEAF,
  });
  tape.advance(now);
  return tape;
}

/** Hears nothing: while the tape warms up, and where nothing but pushed events is to be heard. */
const DEAF: TapeListener = { onPrint() {}, onQuote() {}, onBar() {}, onBand() {}, onIndexValue() {} };
