import { getNamedType, GraphQLNonNull, GraphQLObjectType, GraphQLSchema, GraphQLString, isObjectType } from 'graphql';
import { describe, expect, it } from 'vitest';
import { makeBar, makeQuote, makeStatus, makeTrade } from '../../test/market-samples.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import { unlimited } from '../../test/unlimited.ts';
import { DeliveryFigures } from '../delivery/figures.ts';
import { StateMailbox } from '../delivery/mailbox.ts';
import { TimerWheel } from '../delivery/timer-wheel.ts';
import { Turn } from '../delivery/turn.ts';
import { ReferenceBook } from '../market/reference-book.ts';
import type { SharedContext } from '../schema/context.ts';
import { schema as realSchema } from '../schema/schema.ts';
import { createGraphQL } from './graphql.ts';

type WithViewer = { readonly viewer: { readonly name: string } };

function openOne(event: object): StateMailbox<object> {
  const mailbox = new StateMailbox<object>({ minIntervalMs: 0, wheel: new TimerWheel(), onEnd: () => undefined });
  mailbox.put('', event);
  return mailbox;
}

/** The first result of a subscription, as an SSE client is shown it, and what was logged. */
async function subscribeOnce(schema: GraphQLSchema, query: string, context: object = {}) {
  const { logger, records } = recordingLogger();
  const figures = new DeliveryFigures({ now: Date.now });
  const turn = new Turn((payloads) => figures.countDelivered(payloads));
  const graphql = createGraphQL({
    schema,
    context: context as SharedContext,
    figures,
    turn,
    allowedOrigins: [],
    admission: unlimited.admission,
    sessions: unlimited.sessions,
    logger,
  });
  const response = await graphql.fetch('http://tapeql/graphql', {
    method: 'POST',
    headers: { accept: 'text/event-stream', 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  });
  let text = '';
  const decoder = new TextDecoder();
  for await (const bytes of response.body!) {
    text += decoder.decode(bytes as Uint8Array, { stream: true });
    const data = /^data: (.+)$/m.exec(text);
    if (data !== null)
      return { result: JSON.parse(data[1]!), errors: records.filter(({ level }) => level === 'error') };
  }
  throw new Error(`no result in ${text}`);
}

function listUnmarked(type: GraphQLObjectType) {
  return Object.values(type.getFields()).filter(({ extensions }) => extensions.viewer !== true);
}

/** All fields below a root field that are not marked, each once. */
function selectAll(type: GraphQLObjectType, depth = 3): string {
  const fields = listUnmarked(type).map((field) => {
    const named = getNamedType(field.type);
    return isObjectType(named)
      ? `${field.name} ${depth > 0 ? selectAll(named, depth - 1) : '{ __typename }'}`
      : field.name;
  });
  return `{ ${fields.join(' ')} }`;
}

describe('no field of the real schema asks for the viewer without a mark:', () => {
  const state = {
    ...makeStatus().market,
    ...{ state: 'OPERATIONAL', reason: null, feed: 'LIVE', feedConnected: true, redisConnected: null },
  };
  const context = {
    hub: {
      openQuotes: () => openOne({ ...makeQuote('AAPL'), stale: false }),
      openTrades: () => openOne(makeTrade('AAPL', 1, { conditions: [14, 41] })),
      openBars: () => openOne(makeBar('AAPL', 1)),
    },
    status: { openMarketStatus: () => openOne(state), openServiceStatus: () => openOne(state) },
    limits: { maxSymbols: 1 },
    anonymousMarketData: true,
    reference: new ReferenceBook(),
  };

  it.each(listUnmarked(realSchema.getSubscriptionType()!).map((field) => [field.name, field] as const))(
    '%s',
    async (name, field) => {
      const args = field.args.some((arg) => arg.name === 'symbols') ? '(symbols: ["AAPL"])' : '';
      const type = getNamedType(field.type) as GraphQLObjectType;
      const { result, errors } = await subscribeOnce(
        realSchema,
        `subscription { ${name}${args} ${selectAll(type)} }`,
        context,
      );
      expect(result.errors).toBeUndefined();
      expect(Object.keys(result.data[name])).toEqual(listUnmarked(type).map((one) => one.name));
      expect(errors).toEqual([]);
    },
  );
});

describe('a field that asks for the viewer without a mark', () => {
  const ask: Record<string, (context: WithViewer) => string> = {
    'by its name': ({ viewer }) => viewer.name,
    'by a copy of the context': (context) => ({ ...context }).viewer.name,
    'and would do without': ({ viewer }) => viewer?.name ?? 'nobody',
  };

  it.each(Object.entries(ask))('%s fails with INTERNAL_SERVER_ERROR, and the log says why', async (_how, resolve) => {
    const schema = new GraphQLSchema({
      query: new GraphQLObjectType({ name: 'Query', fields: { nothing: { type: GraphQLString } } }),
      subscription: new GraphQLObjectType({
        name: 'Subscription',
        fields: {
          greeting: {
            type: new GraphQLObjectType<object, WithViewer>({
              name: 'Greeting',
              fields: {
                text: { type: GraphQLString, resolve: () => 'hello' },
                name: { type: new GraphQLNonNull(GraphQLString), resolve: (_source, _args, own) => resolve(own) },
              },
            }),
            subscribe: () => openOne({}),
            resolve: (event: object) => event,
          },
        },
      }),
    });
    const { result, errors } = await subscribeOnce(schema, 'subscription { greeting { text name } }');
    expect(result).toMatchObject({
      data: { greeting: null },
      errors: [
        {
          message: 'Internal server error',
          path: ['greeting', 'name'],
          extensions: { code: 'INTERNAL_SERVER_ERROR' },
        },
      ],
    });
    expect(errors).toMatchObject([
      {
        fields: {
          path: ['greeting', 'name'],
          err: { message: expect.stringContaining('extensions: { viewer: true }') },
        },
      },
    ]);
  });
});
