import { describe, expect, it } from 'vitest';
import { Payload } from './payload.ts';
import { Turn } from './turn.ts';

function makePayload(): Payload {
  return new Payload('{"data":{}}', { field: 'trades', isOfDocument: false, receivedAt: 1, place: null });
}

/** When all that was set going before has been handled. */
async function untilEnd(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('a turn', () => {
  it('flushes each outlet once at its end, in the order in which they were added, and not before', async () => {
    const turn = new Turn(() => undefined);
    const flushed: string[] = [];
    turn.add({ flush: () => flushed.push('a') });
    turn.add({ flush: () => flushed.push('b') });
    await Promise.resolve();
    process.nextTick(() => turn.add({ flush: () => flushed.push('c') }));
    await new Promise<void>((resolve) => process.nextTick(resolve));
    expect(flushed).toEqual([]);
    await untilEnd();
    expect(flushed).toEqual(['a', 'b', 'c']);
    await untilEnd();
    expect(flushed).toHaveLength(3);
  });

  it('what is added while it ends is of the next one', async () => {
    const turn = new Turn(() => undefined);
    const flushed: number[] = [];
    const again = {
      flush(): void {
        flushed.push(flushed.length);
        if (flushed.length < 3) turn.add(again);
      },
    };
    turn.add(again);
    for (let end = 1; end <= 3; end++) {
      await untilEnd();
      expect(flushed).toHaveLength(end);
    }
    await untilEnd();
    expect(flushed).toHaveLength(3);
  });

  it('tells once of each payload how often it was handed out in it, and how often live', async () => {
    const told: [Payload, number, number][] = [];
    const turn = new Turn((payloads) => {
      for (const payload of payloads) told.push([payload, payload.deliveries, payload.liveDeliveries]);
    });
    const [a, b] = [makePayload(), makePayload()];
    turn.count(a, true);
    turn.count(b, false);
    turn.count(a, true);
    turn.count(a, false);
    await untilEnd();
    expect(told.splice(0)).toEqual([
      [a, 3, 2],
      [b, 1, 0],
    ]);
    // One that is handed out again later is counted anew.
    turn.count(a, true);
    await untilEnd();
    expect(told).toEqual([[a, 1, 1]]);
  });

  it('tells after all is written', async () => {
    const steps: string[] = [];
    const turn = new Turn(() => steps.push('told'));
    turn.count(makePayload(), true);
    turn.add({ flush: () => steps.push('flushed') });
    await untilEnd();
    expect(steps).toEqual(['flushed', 'told']);
  });
});
