import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EventStreamReader } from './event-stream-reader.ts';

const STREAM = [
  ':\n\n',
  'id: c1\n\n',
  'event: next\nid: c2\ndata: {"data":{"price":1}}\n\n',
  'event: next\r\ndata: {"name":\r\ndata: "Ünïcode"}\r\n\r\n',
  ': still here\n\n',
  'data:no space\n\n',
  'event: complete\ndata:\n\n',
].join('');

const EVENTS = [
  { type: 'next', data: '{"data":{"price":1}}' },
  { type: 'next', data: '{"name":\n"Ünïcode"}' },
  { type: 'message', data: 'no space' },
  { type: 'complete', data: '' },
];

test('reads the same events in whatever pieces they come', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 20 })), (lengths) => {
      const reader = new EventStreamReader();
      const events = [];
      let rest = STREAM;
      for (const length of lengths) {
        events.push(...reader.read(rest.slice(0, length)));
        rest = rest.slice(length);
      }
      events.push(...reader.read(rest));
      expect(events).toEqual(EVENTS);
      expect(reader.lastEventId).toBe('c2');
    }),
  );
});

test('an id without data is no event, and is kept', () => {
  const reader = new EventStreamReader();
  expect(reader.read('id: c7\n\n')).toEqual([]);
  expect(reader.lastEventId).toBe('c7');
});
