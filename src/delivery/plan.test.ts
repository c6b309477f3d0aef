import {
  type ExecutionArgs,
  GraphQLInt,
  GraphQLList,
  GraphQLObjectType,
  GraphQLSchema,
  GraphQLString,
  parse,
} from 'graphql';
import { beforeEach, describe, expect, it } from 'vitest';
import { noteLate } from './late-events.ts';
import { type Plan, Plans } from './plan.ts';

type Context = { readonly viewer: string | null };

const Thing: GraphQLObjectType<object, Context> = new GraphQLObjectType<object, Context>({
  name: 'Thing',
  fields: () => ({
    size: { type: GraphQLInt },
    mine: { type: GraphQLString, extensions: { viewer: true }, resolve: (_thing, _args, { viewer }) => viewer },
    later: { type: GraphQLInt, resolve: () => Promise.resolve(1) },
    fails: {
      type: GraphQLInt,
      resolve: () => {
        throw new Error('no');
      },
    },
    others: { type: new GraphQLList(Thing) },
  }),
});

const schema = new GraphQLSchema({
  query: new GraphQLObjectType({ name: 'Query', fields: { nothing: { type: GraphQLInt } } }),
  subscription: new GraphQLObjectType<object, Context>({
    name: 'Subscription',
    fields: {
      thing: { type: Thing, args: { of: { type: GraphQLString } }, resolve: (event) => event },
      account: {
        type: Thing,
        extensions: { viewer: true },
        args: { of: { type: GraphQLString } },
        resolve: (event) => event,
      },
      // Here the arguments decide what the result looks like.
      scaled: {
        type: GraphQLInt,
        args: { by: { type: GraphQLInt } },
        resolve: (event, { by }: { by?: number }) => (event as { size: number }).size * (by ?? 1),
      },
    },
  }),
});

let executions = 0;
let plans: Plans;
beforeEach(() => {
  executions = 0;
  plans = new Plans({
    sharedContext: { viewer: 'nobody' },
    viewerOf: (context) => (context as Context).viewer,
    observer: { onExecution: () => executions++, onUnexpectedError: () => undefined },
  });
});

function by(viewer: string | null, query: string, variableValues: Record<string, unknown> = {}): ExecutionArgs {
  return { schema, document: parse(`subscription ${query}`), variableValues, contextValue: { viewer } };
}

async function answer(plan: Plan, event: object, args: ExecutionArgs | null = null): Promise<unknown> {
  return JSON.parse((await plan.payloadOf(event, args)).json);
}

describe('a plan with a field that depends on the viewer', () => {
  it.each([
    ['the root field', '{ account { size } }'],
    ['a field', '{ thing { size mine } }'],
    ['a field of a field', '{ thing { others { others { mine } } } }'],
    ['a field in a fragment', '{ thing { ...F } } fragment F on Thing { ... on Thing { mine } }'],
    ['a field that is left out', '{ thing { size mine @skip(if: true) } }'],
  ])('(%s) is of that viewer alone', (_what, query) => {
    const plan = plans.take(by('anna', query));
    expect(plan.isPrivate).toBe(true);
    expect(plans.take(by('anna', query))).toBe(plan);
    expect(plans.take(by('anna', query.replace('thing {', 'thing(of: "x") {')))).toBe(plan);
    expect(plans.take(by('bert', query))).not.toBe(plan);
    expect(plans.take(by(null, query))).not.toBe(plan);
  });

  it('works out one event for each viewer once', async () => {
    const query = '{ thing { mine size } }';
    const event = { size: 1 };
    const anna = plans.take(by('anna', query));
    const bert = plans.take(by('bert', query));
    for (const plan of [anna, bert, anna, bert, plans.take(by('anna', query))]) {
      expect(await answer(plan, event)).toEqual({
        data: { thing: { mine: plan === bert ? 'bert' : 'anna', size: 1 } },
      });
    }
    expect(executions).toBe(2);
  });

  it('is not kept when nobody uses it', () => {
    const args = by('anna', '{ account { size } }');
    const plan = plans.take(args);
    expect(plans.take(args)).toBe(plan);
    plans.release(plan);
    expect(plans.take(args)).toBe(plan);
    plans.release(plan);
    plans.release(plan);
    expect(plans.size).toBe(0);
    expect(plans.take(args)).not.toBe(plan);
  });

  it('cannot be mistaken for one that is shared, whatever the viewer is called', () => {
    const query = '{ thing { size } }';
    const shared = plans.take(by('anna', query));
    for (const name of ['', 'null', `"\n${shared.key}`, shared.key]) {
      expect(plans.take(by(name, '{ account { size } }')).key).not.toBe(shared.key);
      expect(plans.take(by(name, query))).toBe(shared);
    }
    expect(plans.take(by('null', '{ account { size } }'))).not.toBe(plans.take(by(null, '{ account { size } }')));
  });
});

describe('a plan without one', () => {
  it('is of all viewers, and knows none', async () => {
    const plan = plans.take(by('anna', '{ thing { size } }'));
    expect(plan.isPrivate).toBe(false);
    expect(plans.take(by('bert', '{ thing(of: "y") { size } }'))).toBe(plan);
    expect(await answer(plan, { size: 2 })).toEqual({ data: { thing: { size: 2 } } });
  });

  it('is kept for whoever comes back, up to a number', () => {
    const args = by(null, '{ thing { size } }');
    const plan = plans.take(args);
    plans.release(plan);
    expect(plans.size).toBe(0);
    expect(plans.take(args)).toBe(plan);
    plans.release(plan);
    for (let index = 0; index < 300; index++) plans.release(plans.take(by(null, `{ a${index}: thing { size } }`)));
    expect(plans.take(args)).not.toBe(plan);
  });

  it('works out an event once, however the events of its readers take turns', async () => {
    const query = '{ thing { size } }';
    const readers = ['anna', 'bert', null].map((viewer) => plans.take(by(viewer, query)));
    const events = [{ size: 1 }, { size: 2 }, { size: 3 }];
    // As a mailbox does where a reader is behind.
    for (const event of events) noteLate(event);
    const payloads = events.map((event) => readers[0]!.payloadOf(event, null));
    for (const reader of readers) {
      for (const [index, event] of events.entries()) expect(reader.payloadOf(event, null)).toBe(payloads[index]);
    }
    expect(executions).toBe(3);
  });

  it('answers an error with the places in the document of each reader', async () => {
    const first = by(null, '{ thing { fails } }');
    const second = by(null, '{\n  thing {\n    fails\n  }\n}');
    const plan = plans.take(first);
    expect(plans.take(second)).toBe(plan);
    const places = [first, second].map(async (args) => {
      const { errors } = (await answer(plan, { size: 1 }, args)) as { errors: { locations: object[] }[] };
      return errors[0]!.locations;
    });
    expect(await Promise.all(places)).toEqual([[{ line: 1, column: 24 }], [{ line: 3, column: 5 }]]);
  });

  it('answers what has to be waited for', async () => {
    const plan = plans.take(by(null, '{ thing { later size } }'));
    expect(await answer(plan, { size: 1 })).toEqual({ data: { thing: { later: 1, size: 1 } } });
    expect(executions).toBe(1);
  });
});

describe('where the arguments of the root field decide what the result looks like', () => {
  it('those that differ in them share no plan', async () => {
    const twice = plans.take(by(null, '{ scaled(by: 2) }'));
    const thrice = plans.take(by(null, '{ scaled(by: 3) }'));
    expect(await answer(twice, { size: 5 })).toEqual({ data: { scaled: 10 } });
    expect(await answer(thrice, { size: 5 })).toEqual({ data: { scaled: 15 } });
    expect(plans.take(by(null, '{ scaled(by: 2) }'))).toBe(twice);
  });

  it('nor do those whose variables differ', async () => {
    const query = '($by: Int) { scaled(by: $by) }';
    const twice = plans.take(by(null, query, { by: 2 }));
    expect(plans.take(by(null, query, { by: 2 }))).toBe(twice);
    expect(plans.take(by(null, query, { by: 3 }))).not.toBe(twice);
    expect(plans.take(by(null, query))).not.toBe(twice);
  });
});

it.each([
  ['{ thing { size } }', 'thing'],
  ['{ alias: thing { size } }', 'thing'],
  ['{ ...F } fragment F on Subscription { scaled }', 'scaled'],
  ['{ thing @skip(if: true) { size } account { size } }', 'account'],
])('the figures of %s are those of %s', (query, field) => {
  expect(plans.take(by(null, query)).field).toBe(field);
});
