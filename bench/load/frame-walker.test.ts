import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameWalker, type Mark } from './frame-walker.ts';

const MARK: Mark = { offset: '{"id":"1","type":"n'.length, byte: 'e'.charCodeAt(0) };

type Seen = { text: string; isCounted: boolean };

function makeWalker() {
  const seen: Seen[] = [];
  const controls: { opcode: number; text: string }[] = [];
  const walker = new FrameWalker({
    mark: MARK,
    onMessage: (payload, isCounted) => seen.push({ text: payload.toString(), isCounted }),
    onControl: (opcode, payload) => controls.push({ opcode, text: payload.toString() }),
  });
  return { walker, seen, controls };
}

/** As a server sends it. */
function frame(text: string, { opcode = 1, fin = true }: { opcode?: number; fin?: boolean } = {}): Buffer {
  const payload = Buffer.from(text);
  const { length } = payload;
  const header = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  header[0] = opcode | (fin ? 0x80 : 0);
  header[1] = header.length === 2 ? length : header.length === 4 ? 126 : 127;
  if (header.length === 4) header.writeUInt16BE(length, 2);
  if (header.length === 10) header.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([header, payload]);
}

const next = (number: number, size = 20): string => `{"id":"1","type":"next","payload":${number}${'x'.repeat(size)}}`;

describe('FrameWalker', () => {
  it('counts messages of every length and looks at none that is not sampled', () => {
    const { walker, seen } = makeWalker();
    const lengths = [60, 124, 125, 126, 127, 200, 65_000, 65_535, 65_536, 70_000];
    const bytes = Buffer.concat(lengths.map((length) => frame(next(1, length - next(1, 0).length))));
    walker.walk(bytes, 0, bytes.length);
    expect(walker.messages).toBe(lengths.length);
    expect(seen).toEqual([]);
  });

  it('gives every n-th message, beginning where it is told', () => {
    const { walker, seen } = makeWalker();
    walker.reset(4, 2);
    const bytes = Buffer.concat(Array.from({ length: 12 }, (_, number) => frame(next(number))));
    walker.walk(bytes, 0, bytes.length);
    expect(walker.messages).toBe(12);
    expect(seen.map(({ text }) => text)).toEqual([next(2), next(6), next(10)]);
  });

  it('gives what has no mark, and does not count it', () => {
    const { walker, seen } = makeWalker();
    const error = '{"id":"1","type":"error","payload":[]}';
    const bytes = Buffer.concat([frame(next(1)), frame(error), frame('{}'), frame(next(2))]);
    walker.walk(bytes, 0, bytes.length);
    expect(walker.messages).toBe(2);
    expect(seen).toEqual([
      { text: error, isCounted: false },
      { text: '{}', isCounted: false },
    ]);
  });

  it('joins a message that comes as two fragments, with a ping in between', () => {
    const { walker, seen, controls } = makeWalker();
    walker.reset(1, 0);
    const text = next(7, 300);
    const bytes = Buffer.concat([
      frame(text.slice(0, 40), { fin: false }),
      frame('are you there', { opcode: 9 }),
      frame(text.slice(40), { opcode: 0 }),
    ]);
    walker.walk(bytes, 0, bytes.length);
    expect(walker.messages).toBe(1);
    expect(seen).toEqual([{ text, isCounted: true }]);
    expect(controls).toEqual([{ opcode: 9, text: 'are you there' }]);
  });

  it('counts and samples the same however the bytes are cut and the messages are fragmented', () => {
    const message = fc.record({
      kind: fc.constantFrom('next', 'next', 'next', 'other', 'ping'),
      size: fc.oneof(fc.nat(150), fc.nat(400), fc.constantFrom(125, 126, 65_500, 66_000)),
      cuts: fc.array(fc.nat(200), { maxLength: 3 }),
    });
    fc.assert(
      fc.property(
        fc.array(message, { minLength: 1, maxLength: 30 }),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 5 }),
        (messages, cuts, sampleEvery) => {
          const expected: Seen[] = [];
          const pings: string[] = [];
          let counted = 0;
          const frames = messages.flatMap(({ kind, size, cuts: fragments }, number) => {
            if (kind === 'ping') {
              pings.push(`ping ${number}`);
              return [frame(`ping ${number}`, { opcode: 9 })];
            }
            const text = kind === 'next' ? next(number, size) : `{"id":"1","type":"complete"}${'x'.repeat(size)}`;
            if (kind !== 'next') expected.push({ text, isCounted: false });
            else if (counted++ % sampleEvery === 0) expected.push({ text, isCounted: true });
            const ends = [...new Set(fragments)].toSorted((a, b) => a - b).filter((end) => end < text.length);
            return [...ends, text.length].map((end, index) =>
              frame(text.slice(ends[index - 1] ?? 0, end), { opcode: index === 0 ? 1 : 0, fin: index === ends.length }),
            );
          });
          const { walker, seen, controls } = makeWalker();
          walker.reset(sampleEvery, 0);
          const bytes = Buffer.concat(frames);
          // One buffer for all reads, as the client has it: what is kept must have been copied.
          const shared = Buffer.alloc(bytes.length);
          for (let at = 0, cut = 0; at < bytes.length; cut += 1) {
            const size = Math.min(cuts[cut % cuts.length]! * (bytes.length > 20_000 ? 97 : 1), bytes.length - at);
            bytes.copy(shared, 3 % shared.length, at, at + Math.min(size, shared.length - 3));
            const taken = Math.min(size, shared.length - 3);
            walker.walk(shared, 3, 3 + taken);
            shared.fill(0);
            at += taken;
          }
          expect(walker.messages).toBe(counted);
          expect(seen).toEqual(expected);
          expect(controls.map(({ text }) => text)).toEqual(pings);
        },
      ),
    );
  });

  it('refuses a masked frame', () => {
    const { walker } = makeWalker();
    expect(() => walker.walk(Buffer.from([0x81, 0x80, 0, 0, 0, 0]), 0, 6)).toThrow('mask');
  });
});
