import { describe, expect, it } from 'vitest';
import { readAgeMs, readTimeAgeMs, volumeAt } from './clock.ts';

const message = (volume: number): Buffer =>
  Buffer.from(`{"id":"1","type":"next","payload":{"data":{"quoteUpdates":{"volume":${volume},"timestamp":"x"}}}}`);

describe('the time in a volume', () => {
  it('tells how old a quote is, to the microsecond', () => {
    expect(readAgeMs(message(volumeAt(5_000_000_123)), 5_000_001_623)).toBe(1.5);
  });

  it('goes over the turn of its digits', () => {
    expect(readAgeMs(message(volumeAt(2_999_999_900)), 3_000_000_100)).toBe(0.2);
  });

  it('is of the same length at any time', () => {
    for (const micros of [0, 999_999_999, 1_000_000_000, 123_456_789_012]) {
      expect(String(volumeAt(micros))).toHaveLength(10);
    }
  });

  it('is not found where a message has another volume, or none', () => {
    expect(readAgeMs(message(12), 5)).toBeNull();
    expect(readAgeMs(Buffer.from('{"type":"next"}'), 5)).toBeNull();
  });
});

describe('a time in a message', () => {
  it('tells how old it is by the key that is asked for', () => {
    const text = Buffer.from('{"timestamp":"2026-11-20T14:30:00.250Z","receivedAt":"2026-11-20T14:30:00.260Z"}');
    const now = Date.parse('2026-11-20T14:30:01.000Z');
    expect(readTimeAgeMs(text, '"timestamp":"', now)).toBe(750);
    expect(readTimeAgeMs(text, '"receivedAt":"', now)).toBe(740);
    expect(readTimeAgeMs(text, '"cursor":"', now)).toBeNull();
    expect(readTimeAgeMs(Buffer.from('{"timestamp":"soon"}'), '"timestamp":"', now)).toBeNull();
  });
});
