import { buildSchema, type ExecutionArgs, type GraphQLError, parse } from 'graphql';
import { beforeEach, describe, expect, it } from 'vitest';
import { makeTrade } from '../../test/market-samples.ts';
import { encodeCursor } from '../market/log.ts';
import { StateMailbox } from './mailbox.ts';
import type { Payload } from './payload.ts';
import { Plans } from './plan.ts';
import type { Sender } from './socket-outlet.ts';
import { Subscription, type Transport } from './subscription.ts';
import { TimerWheel } from './timer-wheel.ts';
import { Turn } from './turn.ts';

const schema = buildSchema(`
  scalar Anything
  type Query { nothing: Int }
  type Subscription { value: Anything }
`);

/** Takes what it is given, as long as it is ready. */
class Outlet implements Transport {
  ready = true;
  readonly payloads: Payload[] = [];
  readonly senders = new Set<Sender>();

  attach(sender: Sender): void {
    this.senders.add(sender);
  }

  detach(sender: Sender): void {
    this.senders.delete(sender);
  }

  write(payload: Payload): void {
    expect(this.ready).toBe(true);
    this.payloads.push(payload);
  }

  get values(): unknown[] {
    return this.payloads.map(({ json }) => JSON.parse(json).data?.value as unknown);
  }
}

let unexpected: GraphQLError[] = [];
let active = 0;
let plans: Plans;
beforeEach(() => {
  unexpected = [];
  active = 0;
  plans = new Plans({
    sharedContext: {},
    viewerOf: () => null,
    observer: { onExecution: () => undefined, onUnexpectedError: (error) => unexpected.push(error) },
  });
});

function subscribe(outlet = new Outlet()) {
  const source = new StateMailbox<object>({ minIntervalMs: 0, wheel: new TimerWheel(), onEnd: () => undefined });
  const args: ExecutionArgs = { schema, document: parse('subscription { value }'), contextValue: {} };
  const subscription = new Subscription({
    ...{ source, plans, args, turn: new Turn(() => undefined) },
    observer: { onStart: () => active++, onEnd: () => active--, now: () => 0 },
  });
  subscription.deliverTo(outlet);
  const end = subscription.next().then(
    ({ done }) => (done === true ? 'done' : 'a result'),
    (error: GraphQLError) => error.extensions['code'],
  );
  return { source, subscription, outlet, end };
}

describe('a subscription', () => {
  it('delivers in the call in which an event is put, and what waited when the transport is ready again', async () => {
    const { source, outlet, subscription, end } = subscribe();
    source.put('A', { value: 1 });
    expect(outlet.values).toEqual([1]);
    outlet.ready = false;
    source.put('A', { value: 2 });
    source.put('A', { value: 3 });
    expect(outlet.values).toEqual([1]);
    outlet.ready = true;
    for (const sender of outlet.senders) sender.pull();
    expect(outlet.values).toEqual([1, 3]);
    await subscription.return();
    expect(await end).toBe('done');
  });

  it('waits for a result that has to be waited for, and keeps the order', async () => {
    const { source, outlet, subscription } = subscribe();
    const first = Promise.withResolvers<number>();
    source.put('A', { value: first.promise });
    source.put('B', { value: 2 });
    expect(outlet.values).toEqual([]);
    first.resolve(1);
    await expect.poll(() => outlet.values).toEqual([1, 2]);
    await subscription.return();
  });

  it('is over only when a result that is waited for was delivered', async () => {
    const { source, outlet, end } = subscribe();
    const last = Promise.withResolvers<number>();
    source.put('A', { value: last.promise });
    await source.return();
    last.resolve(1);
    expect(await end).toBe('done');
    expect(outlet.values).toEqual([1]);
  });

  it('that the client has ended delivers nothing more, also not what is still waited for', async () => {
    const { source, outlet, subscription, end } = subscribe();
    const late = Promise.withResolvers<number>();
    source.put('A', { value: late.promise });
    await subscription.return();
    late.resolve(1);
    expect(await end).toBe('done');
    expect(outlet.values).toEqual([]);
    expect([active, plans.size]).toEqual([0, 0]);
  });

  it('ends alone where a result cannot be written, and its plan serves the others', async () => {
    const [broken, other] = [subscribe(), subscribe()];
    // Whoever puts it is not told: it has others to put it to.
    broken.source.put('A', { value: 10n });
    expect(await broken.end).toBe('INTERNAL_SERVER_ERROR');
    expect(unexpected.map(({ originalError }) => originalError?.message)).toEqual([expect.stringContaining('BigInt')]);
    other.source.put('A', { value: 1 });
    expect(other.outlet.values).toEqual([1]);
    expect([active, plans.size]).toEqual([1, 1]);
    await other.subscription.return();
    expect([active, plans.size]).toEqual([0, 0]);
  });

  it('gives back what it holds once, however it ends', async () => {
    for (const finish of [
      async ({ subscription }: ReturnType<typeof subscribe>) => void (await subscription.return()),
      async ({ source }: ReturnType<typeof subscribe>) => void (await source.return()),
      async ({ source }: ReturnType<typeof subscribe>) => source.fail(new Error('lost')),
    ]) {
      const running = subscribe();
      expect([active, plans.size, running.outlet.senders.size]).toEqual([1, 1, 1]);
      await finish(running);
      await finish(running);
      await running.end;
      expect([active, plans.size, running.outlet.senders.size]).toEqual([0, 0, 0]);
    }
    expect(unexpected).toHaveLength(1);
  });

  it('gives a late entry of a log the furthest place, from which nothing comes again', () => {
    const { source, outlet } = subscribe();
    for (const offset of [5, 3, 9]) source.put('A', makeTrade('A', offset));
    const cursors = outlet.payloads.map(({ json }) => JSON.parse(json).extensions.cursor as string);
    expect(cursors).toEqual([5, 5, 9].map((offset) => encodeCursor({ epoch: 'epoch-1', offset })));
  });
});
