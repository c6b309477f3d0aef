import fc from 'fast-check';
import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLSchema,
  Kind,
  parse,
  print,
  subscribe as subscribePlainly,
  validate,
  visit,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { MADE_UP_SCALARS, madeUpSchema } from '../../test/made-up-schema.ts';
import { makeBar, makeQuote, makeTrade } from '../../test/market-samples.ts';
import { Decisions, type Generated, generateSubscriptions } from '../../test/operation-generator.ts';
import { encodeCursor, type LogPosition } from '../market/log.ts';
import { ReferenceBook } from '../market/reference-book.ts';
import { schema as realSchema } from '../schema/schema.ts';
import { serializeError, toGraphQLError } from './format-error.ts';
import { Mailbox } from './mailbox.ts';
import type { Payload } from './payload.ts';
import { Plans } from './plan.ts';
import { createProjection } from './projection.ts';
import { createSubscribe, type RunningOperation } from './subscribe.ts';
import { Turn } from './turn.ts';

/** Ends when its events are read. */
class Events extends Mailbox<object> {
  readonly #events: object[];

  constructor(events: readonly object[]) {
    super(() => undefined);
    this.#events = [...events];
  }

  get depth(): number {
    return this.#events.length;
  }

  get bytes(): number {
    return 0;
  }

  protected take(): object | undefined {
    const event = this.#events.shift();
    if (event === undefined) void this.return();
    return event;
  }

  protected clear(): void {
    this.#events.length = 0;
  }
}

/** What graphql-js alone answers, with errors as clients are shown them, and the cursor of an entry of a log. */
async function answerPlainly(args: ExecutionArgs, events: readonly object[]): Promise<string[]> {
  const results = await subscribePlainly(args);
  if (!(Symbol.asyncIterator in results)) return [JSON.stringify(show(results))];
  const answers: string[] = [];
  for await (const result of results) {
    const place = events[answers.length] as Partial<LogPosition>;
    const extensions = place.epoch === undefined ? {} : { extensions: { cursor: encodeCursor(place as LogPosition) } };
    answers.push(JSON.stringify({ ...show(result), ...extensions }));
  }
  return answers;
}

function show(result: ExecutionResult): object {
  const { errors, ...rest } = result;
  return errors === undefined
    ? rest
    : { errors: errors.map((error) => serializeError(toGraphQLError(error))), ...rest };
}

/** What a subscription delivers whose results are made by a plan of `plans`. */
async function answerByPlan(args: ExecutionArgs, plans: Plans): Promise<string[]> {
  const subscribe = createSubscribe({ plans, turn: new Turn(() => undefined), observer: NO_FIGURES });
  const running: RunningOperation = { subscription: null };
  const result = await subscribe({ ...args, contextValue: { ...(args.contextValue as object), running } });
  if (!(Symbol.asyncIterator in result)) return [JSON.stringify(show(result))];
  const answers: string[] = [];
  running.subscription!.deliverTo({
    ready: true,
    attach: () => undefined,
    detach: () => undefined,
    write: (payload: Payload) => void answers.push(payload.json),
  });
  await running.subscription!.next();
  return answers;
}

const NO_FIGURES = { onStart: () => undefined, onEnd: () => undefined, now: () => 0 };

type Outcome = { readonly answers: string[] } | { readonly thrown: string };

async function settle(answers: Promise<string[]>): Promise<Outcome> {
  return await answers.then(
    (all) => ({ answers: all }),
    (error: unknown) => ({ thrown: String(error) }),
  );
}

/** The same subscription as another client would write it: the definitions in another order and another layout, other names. */
function rewrite(document: DocumentNode, operationName: string | null): { source: string; operationName: string } {
  const definitions = document.definitions.filter(
    (definition) =>
      definition.kind !== Kind.OPERATION_DEFINITION ||
      operationName === null ||
      definition.name?.value === operationName,
  );
  const renamed = visit(
    { ...document, definitions: definitions.toReversed() },
    { OperationDefinition: (node) => ({ ...node, name: { kind: Kind.NAME, value: 'Other' } as const }) },
  );
  return { source: `# the same\n\n${print(renamed)}`, operationName: 'Other' };
}

type Case = {
  readonly schema: GraphQLSchema;
  readonly scalars: Readonly<Record<string, readonly unknown[]>>;
  readonly maxDepth: number;
  readonly events: fc.Arbitrary<object[]>;
  readonly createContext: (open: () => Events) => object;
};

/** Compares for many operations; how many results came of the projection, and how many of graphql-js. */
async function compare(setting: Case, numRuns: number) {
  const { schema, createContext } = setting;
  using rejections = watchRejections();
  const seen = { operations: 0, projected: 0, asked: 0, withErrors: 0, shared: 0 };
  const decisions = fc.uint8Array({ minLength: 0, maxLength: 400, size: 'max' });
  await fc.assert(
    fc.asyncProperty(decisions, setting.events, async (bytes, events) => {
      const generated = generateSubscriptions(setting, new Decisions(bytes));
      const document = parse(generated.source);
      const invalid = validate(schema, document);
      // What the generator writes is valid but for what it cannot know.
      if (invalid.length > 0) throw new Error(`${invalid[0]!.message} in ${generated.source}`);
      const context = createContext(() => new Events(events));
      const toArgs = (own: DocumentNode, operationName: string | null, variableValues: Record<string, unknown>) => ({
        ...{ schema, document: own, operationName, variableValues, contextValue: context },
      });
      let executions = 0;
      const plans: Plans = new Plans({
        sharedContext: context,
        viewerOf: () => null,
        observer: { onExecution: () => executions++, onUnexpectedError: () => undefined },
      });

      const args = toArgs(document, generated.operationName, generated.variableValues);
      const plain = await settle(answerPlainly(args, events));
      const forgotten = await rejections.take();
      expect(await settle(answerByPlan(args, plans)), describeCase(generated)).toEqual(plain);
      expect([...(await rejections.take()).difference(forgotten)], describeCase(generated)).toEqual([]);
      seen.operations++;
      if ('thrown' in plain) return;
      const projection = createProjection(args);
      for (const event of events) {
        if ((projection?.(event) ?? null) === null) seen.asked++;
        else seen.projected++;
      }
      if (plain.answers.some((answer) => answer.startsWith('{"errors"'))) seen.withErrors++;

      // Whoever asks for the same in other words, or for other values, gets what it would get alone.
      executions = 0;
      const other = rewrite(document, generated.operationName);
      const otherArgs = toArgs(parse(other.source), other.operationName, generated.variableValues);
      expect(await settle(answerByPlan(otherArgs, plans)), other.source).toEqual(
        await settle(answerPlainly(otherArgs, events)),
      );
      if (executions < events.length) seen.shared++;
      const withOthers = toArgs(document, generated.operationName, generated.otherValues);
      expect(await settle(answerByPlan(withOthers, plans)), describeCase(generated)).toEqual(
        await settle(answerPlainly(withOthers, events)),
      );
    }),
    { numRuns },
  );
  return seen;
}

function describeCase({ source, operationName, variableValues, otherValues }: Generated): string {
  return `${source}\n# ${operationName ?? 'the only one'}, ${JSON.stringify([variableValues, otherValues])}`;
}

/**
 * Rejections that nobody handles, told apart by who left them. graphql-js forgets some: of a list whose items may not be null it
 * leaves all promises as soon as one item fails at once. No plan may leave others, for they would end the process.
 */
function watchRejections() {
  const others = process.listeners('unhandledRejection');
  const messages: string[] = [];
  const collect = (error: unknown): void => void messages.push(String(error));
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', collect);
  return {
    /** Those since the last time. */
    async take(): Promise<Set<string>> {
      await new Promise((resolve) => setImmediate(resolve));
      return new Set(messages.splice(0));
    },
    [Symbol.dispose]() {
      process.off('unhandledRejection', collect);
      for (const listener of others) process.on('unhandledRejection', listener);
    },
  };
}

describe('what a plan answers is what graphql-js answers, to the byte,', () => {
  it('for the real schema', async () => {
    const price = fc.oneof(
      { weight: 20, arbitrary: fc.double({ noNaN: true }) },
      { weight: 1, arbitrary: fc.double() },
    );
    const size = fc.oneof(fc.constant(null), fc.integer(), fc.constant(undefined));
    const time = fc.oneof({ weight: 50, arbitrary: fc.integer({ min: 0, max: 4e12 }) }, fc.constant(Number.NaN));
    const text = fc.string({ unit: 'binary', maxLength: 8 });
    const event = fc
      .record({ price, size, time, text, flag: fc.boolean(), conditions: fc.array(fc.integer({ min: 0, max: 60 })) })
      .map(({ price, size, time, text, flag, conditions }) => ({
        ...makeBar(text, 0, { vwap: flag ? null : price, low: price, end: time }),
        ...makeQuote(text, { price, bid: flag ? price : null, bidSize: size as number, timestamp: time }),
        ...makeTrade(text, 0, { price, conditions, offExchange: flag, exchange: conditions[0] ?? 1, id: text }),
        ...{ stale: flag, isOpen: flag, session: 'REGULAR', holiday: flag ? text : null, nextOpen: time },
        ...{ state: flag ? 'PAUSED' : 'OPERATIONAL', reason: text, feed: 'LIVE', feedConnected: flag },
      }));
    const events = fc
      .tuple(fc.array(event, { minLength: 1, maxLength: 4 }), fc.boolean())
      .map(([all, isLog]) =>
        all.map((one, index) => (isLog ? { ...one, offset: 1000 + index } : { ...one, epoch: undefined })),
      );
    const reference = new ReferenceBook();
    const seen = await compare(
      {
        schema: realSchema,
        scalars: {
          Symbol: ['AAPL', ' msft ', 'I:SPX'],
          Cursor: [encodeCursor({ epoch: 'e', offset: 1 })],
          Float: [1, 0.5, 20],
          Boolean: [true, false],
        },
        maxDepth: 3,
        events,
        createContext: (open) => ({
          hub: { openQuotes: open, openTrades: open, openBars: open },
          status: { openMarketStatus: open, openServiceStatus: open },
          resume: { choose: () => null },
          limits: { maxSymbols: 100 },
          reference,
        }),
      },
      3000,
    );
    expect(seen.projected).toBeGreaterThan(10 * seen.asked);
    expect(seen.shared).toBeGreaterThan(0.9 * seen.operations);
  }, 120_000);

  it('for a schema with all that the real one lacks', async () => {
    const event = fc.record({
      seed: fc.nat(),
      wild: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 30 })),
      kind: fc.constantFrom('Apple', 'Pear', 'Plum'),
    });
    const seen = await compare(
      {
        schema: madeUpSchema,
        scalars: MADE_UP_SCALARS,
        maxDepth: 4,
        events: fc.array(event, { minLength: 1, maxLength: 4 }),
        createContext: (open) => ({ open, greeting: 'hello' }),
      },
      3000,
    );
    expect(seen.projected).toBeGreaterThan(seen.operations);
    expect(seen.asked).toBeGreaterThan(seen.operations / 4);
    expect(seen.withErrors).toBeGreaterThan(seen.operations / 8);
    expect(seen.shared).toBeGreaterThan(seen.operations / 2);
  }, 120_000);
});
