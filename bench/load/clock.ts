/*
 * The publisher writes the time at which it publishes a quote into its `volume`, in µs of the clock that all processes of a
 * machine share, and each server hands it on unchanged. So latencies are told finer than by the milliseconds of `timestamp`.
 */

/** As long as a volume that is usual, and always of ten digits, so that messages are of one length. */
const BASE = 1_000_000_000;
const KEY = Buffer.from('"volume":');

export function nowMicros(): number {
  const [seconds, nanos] = process.hrtime();
  return seconds * 1e6 + nanos / 1e3;
}

export function volumeAt(micros: number): number {
  return BASE + (Math.floor(micros) % BASE);
}

/** How old the quote in a message is, in ms; `null` where it holds no such volume. */
export function readAgeMs(message: Buffer, now = nowMicros()): number | null {
  const found = message.indexOf(KEY);
  if (found === -1) return null;
  let volume = 0;
  let at = found + KEY.length;
  for (; at < message.length; at += 1) {
    const digit = message[at]! - 48;
    if (digit < 0 || digit > 9) break;
    volume = volume * 10 + digit;
  }
  if (volume < BASE || volume >= 2 * BASE) return null;
  const age = (Math.floor(now) % BASE) - (volume - BASE);
  return (age < -BASE / 2 ? age + BASE : age) / 1e3;
}

const TIME_LENGTH = '2026-11-20T14:30:00.000Z'.length;

/** The same by a time that stands after `key` in RFC 3339, to the millisecond. */
export function readTimeAgeMs(message: Buffer, key: string, now = Date.now()): number | null {
  const found = message.indexOf(key);
  if (found === -1) return null;
  const start = found + key.length;
  const age = now - Date.parse(message.toString('latin1', start, start + TIME_LENGTH));
  return Number.isNaN(age) ? null : age;
}
