import fc from 'fast-check';
import { buildSchema, type DocumentNode, type GraphQLSchema, Kind, parse, print, validate, visit } from 'graphql';
import { describe, expect, it } from 'vitest';
import { answerByPlan, answerPlainly, Events, type Outcome, settle } from '../../test/answers.ts';
import { MADE_UP_SCALARS, madeUpSchema } from '../../test/made-up-schema.ts';
import { makeBar, makeQuote, makeTrade } from '../../test/market-samples.ts';
import { Decisions, type Generated, generateSubscriptions } from '../../test/operation-generator.ts';
import { encodeCursor } from '../market/log.ts';
import { SCOPES } from '../access/viewer.ts';
import { ReferenceBook } from '../market/reference-book.ts';
import { schema as realSchema } from '../schema/schema.ts';
import { Plans } from './plan.ts';
import { noteLate } from './late-events.ts';
import { shapeOf } from './shape.ts';

/** The same subscription as another client would write it: in another layout and order, among others or alone, by another name. */
function rewrite(
  document: DocumentNode,
  operationName: string | null,
): { source: string; operationName: string | null } {
  const definitions = document.definitions.filter(
    (definition) =>
      definition.kind !== Kind.OPERATION_DEFINITION ||
      operationName === null ||
      definition.name?.value === operationName,
  );
  const reversed = { ...document, definitions: definitions.toReversed() };
  const name = { kind: Kind.NAME, value: 'Other' } as const;
  const renamed = visit(reversed, { OperationDefinition: (node) => ({ ...node, name }) });
  return {
    source: `# the same\n\n${print(operationName === null ? reversed : renamed)}`,
    operationName: operationName === null ? null : 'Other',
  };
}

type Case = {
  readonly schema: GraphQLSchema;
  readonly scalars: Readonly<Record<string, readonly unknown[]>>;
  readonly maxDepth: number;
  readonly events: fc.Arbitrary<object[]>;
  readonly createContext: (open: () => Events) => object;
};

/** Of so many documents one is validated. */
const VALIDATED_EACH = 10;

function expectValid(schema: GraphQLSchema, source: string, document: DocumentNode): void {
  const [error] = validate(schema, document);
  if (error !== undefined) throw new Error(`${error.message} in ${source}`);
}

/** Compares for many operations; how many results came of the projection, and how many of graphql-js. */
async function compare(setting: Case, numRuns: number) {
  const { schema, createContext } = setting;
  using restored = new DisposableStack();
  restored.use(leaveOutStacks());
  const rejections = restored.use(watchRejections());
  const seen = { operations: 0, projected: 0, asked: 0, withErrors: 0, shared: 0, private: 0 };
  const decisions = fc.uint8Array({ minLength: 0, maxLength: 400, size: 'max' });
  await fc.assert(
    fc.asyncProperty(decisions, setting.events, async (bytes, events) => {
      const generated = generateSubscriptions(setting, new Decisions(bytes));
      const document = parse(generated.source);
      // What the generator writes is valid: to see that for a part of them is enough, for it takes longer than the comparison.
      if (seen.operations % VALIDATED_EACH === 0) expectValid(schema, generated.source, document);
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

      // They come again for each reader, as for one that is behind.
      for (const event of events) noteLate(event);
      const args = toArgs(document, generated.operationName, generated.variableValues);
      const plain = await settle(answerPlainly(args, events));
      const forgotten = await rejections.take();
      const planned = await settle(
        answerByPlan(args, plans, ({ isOfDocument }) => (isOfDocument ? seen.asked++ : seen.projected++)),
      );
      expectSame(planned, plain, () => {
        expectValid(schema, generated.source, document);
        return describeCase(generated);
      });
      const added = (await rejections.take()).difference(forgotten);
      if (added.size > 0) expect([...added], describeCase(generated)).toEqual([]);
      seen.operations++;
      if ('thrown' in plain) return;
      if (plain.answers.some((answer) => answer.startsWith('{"errors"'))) seen.withErrors++;

      // Whoever asks for the same in other words, or for other values, gets what it would get alone.
      executions = 0;
      const other = rewrite(document, generated.operationName);
      const otherArgs = toArgs(parse(other.source), other.operationName, generated.variableValues);
      expectSame(
        await settle(answerByPlan(otherArgs, plans)),
        await settle(answerPlainly(otherArgs, events)),
        () => other.source,
      );
      // One that is private is not kept for who comes later.
      const isPrivate = shapeOf(schema, document, generated.operationName).isPrivate;
      if (isPrivate) seen.private++;
      else if (executions < events.length) seen.shared++;
      const withOthers = toArgs(document, generated.operationName, generated.otherValues);
      const areOthers = JSON.stringify(generated.otherValues) !== JSON.stringify(generated.variableValues);
      expectSame(
        await settle(answerByPlan(withOthers, plans)),
        areOthers ? await settle(answerPlainly(withOthers, events)) : plain,
        () => describeCase(generated),
      );
    }),
    { numRuns },
  );
  return seen;
}

function describeCase({ source, operationName, variableValues, otherValues }: Generated): string {
  return `${source}\n# ${operationName ?? 'the only one'}, ${JSON.stringify([variableValues, otherValues])}`;
}

/** As `toEqual` does, which takes its time: it is asked only where the texts of both differ, and then says how. */
function expectSame(actual: Outcome, expected: Outcome, describe: () => string): void {
  if (JSON.stringify(actual) !== JSON.stringify(expected)) expect(actual, describe()).toEqual(expected);
}

/** Errors by the thousand are part of the comparison, and what costs most of each is a stack that nobody reads. */
function leaveOutStacks() {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  return {
    [Symbol.dispose]() {
      Error.stackTraceLimit = limit;
    },
  };
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

/**
 * As `fc.string({ unit: 'binary' })`, which first takes seconds for a table of all that it could shrink from. No half of a pair is
 * among them: UTF-8 has no bytes for it.
 */
function codePoints(maxLength: number): fc.Arbitrary<string> {
  const codePoint = fc.integer({ min: 0, max: 0x10ffff - 0x800 }).map((code) => (code < 0xd800 ? code : code + 0x800));
  return fc.array(codePoint, { maxLength }).map((codes) => String.fromCodePoint(...codes));
}

// oxlint-disable-next-line unicorn/no-thenable -- graphql-js awaits whatever is like a promise
const THENABLE = { json: { then: (resolve: (value: number) => void) => resolve(4) } };

describe('what a plan answers is what graphql-js answers, to the byte,', () => {
  it('for the real schema', async () => {
    const price = fc.oneof(
      { weight: 20, arbitrary: fc.double({ noNaN: true }) },
      { weight: 1, arbitrary: fc.double() },
    );
    const size = fc.oneof(fc.constant(null), fc.integer(), fc.constant(undefined));
    const time = fc.oneof({ weight: 50, arbitrary: fc.integer({ min: 0, max: 4e12 }) }, fc.constant(Number.NaN));
    const text = codePoints(8);
    const event = fc
      .record({ price, size, time, text, flag: fc.boolean(), conditions: fc.array(fc.integer({ min: 0, max: 60 })) })
      .map(({ price, size, time, text, flag, conditions }) => ({
        ...makeBar(text, 0, { vwap: flag ? null : price, low: price, end: time }),
        ...makeQuote(text, { price, bid: flag ? price : null, bidSize: size as number, timestamp: time }),
        ...makeTrade(text, 0, { price, conditions, offExchange: flag, exchange: conditions[0] ?? 1, id: text }),
        ...{ stale: flag, isOpen: flag, session: 'REGULAR', holiday: flag ? text : null, nextOpen: time },
        ...{ state: flag ? 'PAUSED' : 'OPERATIONAL', reason: text, feed: 'LIVE', feedConnected: flag },
        ...{
          kind: flag ? 'TradeExecuted' : 'TradeFailed',
          orderId: text,
          error: text,
          code: text,
          side: 'BUY',
          status: 'FILLED',
        },
        ...{
          totalValue: '1.00',
          cash: '0.50',
          equity: '0.50',
          dayChange: '-0.10',
          dayChangePercent: price,
          quantity: '2',
        },
        positions: [position],
      }));
    const position = {
      ...{ symbol: 'AAPL', quantity: '1', averagePrice: '0.40', marketPrice: null, marketValue: '0.50' },
      ...{ unrealizedPnl: '0.10', unrealizedPnlPercent: 25, dayChange: '-0.10' },
    };
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
          anonymousMarketData: true,
          viewer: { id: 'ann', name: null, scopes: SCOPES, expiresAt: null, credential: null },
          viewerStreams: { openState: open, openLog: open },
          ledger: {},
          reference,
        }),
      },
      3000,
    );
    expect(seen.projected).toBeGreaterThan(10 * seen.asked);
    expect(seen.shared).toBeGreaterThan(0.9 * (seen.operations - seen.private));
  });

  it('for a schema with all that the real one lacks', async () => {
    const event = fc.record({
      seed: fc.nat(),
      wild: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 60 })),
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
  });

  const awkward = buildSchema(`
    scalar Json
    type Pit { length: Int json: Json pit: Pit list: [Pit!] }
    type Query { nothing: Int }
    type Subscription { pit: Pit strict: Pit! list: [Int] lists: [[Int!]]! json: Json int: Int! float: Float text: String flag: Boolean }
  `);
  for (const field of Object.values(awkward.getSubscriptionType()!.getFields())) {
    field.subscribe = (_root: unknown, _args: unknown, context: { open: () => Events }) => context.open();
  }
  it.each<[string, string, object]>([
    ['a text where an object should be', '{ pit { length } }', { pit: 'text' }],
    ['a number where an object should be', '{ pit { length pit { length } } }', { pit: 7 }],
    ['a function where an object should be', '{ pit { length } }', { pit: { pit: () => 1, length: () => 7 } }],
    ['a function as an object', '{ pit { length } }', { pit: () => (_a: unknown, _b: unknown) => 7 }],
    ['an error where an object should be', '{ pit { length __typename } }', { pit: new Error('no pit') }],
    ['an error where anything may be', '{ json }', { json: new Error('no json') }],
    ['an error where an item should be', '{ list }', { list: [1, new Error('no item')] }],
    ['a rejected promise', '{ int }', { int: () => Promise.reject(new Error('no int')) }],
    ['a promise', '{ int }', { int: Promise.resolve(3) }],
    ['what is like a promise', '{ json }', THENABLE],
    ['holes', '{ list }', { list: Array(3) }],
    ['holes where null may not be', '{ lists }', { lists: [[1], Array(2)] }],
    ['an iterable that is no array', '{ list }', { list: new Set([1, 2]) }],
    ['a text where a list should be', '{ list }', { list: 'text' }],
    ['no list', '{ lists }', { lists: null }],
    ['nothing where null may not be', '{ strict { length } }', {}],
    ['what writes itself by its name', '{ a: json }', { json: { toJSON: (key: string) => `of ${key}` } }],
    ['what writes itself as nothing', '{ json }', { json: { toJSON: () => undefined } }],
    ['what cannot be written', '{ json }', { json: Symbol('none') }],
    ['no number', '{ json }', { json: Number.NaN }],
    ['no number where one should be', '{ float }', { float: Number.NaN }],
    ['-0', '{ float }', { float: -0 }],
    ['a number as text', '{ text }', { text: 1e21 }],
    ['half a character', '{ text }', { text: '\ud800' }],
    ['a number for a flag', '{ flag }', { flag: Number.NaN }],
    [
      'a getter that throws',
      '{ int }',
      Object.defineProperty({}, 'int', { get: () => awkward.getType('Nothing')!.name }),
    ],
    [
      'names of Object',
      '{ constructor: pit { __proto__: length toString: json } }',
      { pit: { json: { __proto__: 1 } } },
    ],
  ])('for %s', async (_what, selection, event) => {
    using rejections = watchRejections();
    const document = parse(`subscription ${selection}`);
    const contextValue = { open: () => new Events([event]) };
    const plans = new Plans({
      sharedContext: contextValue,
      viewerOf: () => null,
      observer: { onExecution: () => undefined, onUnexpectedError: () => undefined },
    });
    const args = { schema: awkward, document, contextValue };
    expect(await settle(answerByPlan(args, plans))).toEqual(await settle(answerPlainly(args, [event])));
    expect([...(await rejections.take())]).toEqual([]);
  });
});
