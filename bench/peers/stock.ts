/**
 * The stack as its documentation shows it: GraphQL Yoga with graphql-ws, graphql-redis-subscriptions and Pothos.
 * `node bench/peers/stock.ts <redis url>`
 */
import { createServer } from 'node:http';
import SchemaBuilder from '@pothos/core';
import type { ExecutionArgs } from 'graphql';
import { RedisPubSub } from 'graphql-redis-subscriptions';
import { useServer } from 'graphql-ws/use/ws';
import { createYoga } from 'graphql-yoga';
import { Redis } from 'ioredis';
import { WebSocketServer } from 'ws';
import { quoteChannel } from '../../src/bus/bus.ts';
import { quoteKey } from '../../src/bus/keys.ts';
import type { Quote as QuoteMessage } from '../../src/market/quote.ts';
import { listen } from './quotes.ts';

const redisUrl = process.argv[2]!;
const redis = new Redis(redisUrl);
const pubSub = new RedisPubSub({ publisher: new Redis(redisUrl), subscriber: new Redis(redisUrl) });

const builder = new SchemaBuilder<{
  DefaultFieldNullability: false;
  Scalars: { DateTime: { Input: number; Output: number }; Symbol: { Input: string; Output: string } };
}>({ defaultFieldNullability: false });
builder.scalarType('DateTime', { serialize: (value) => new Date(value).toISOString() });
builder.scalarType('Symbol', { serialize: (value) => value });

const Quote = builder.objectRef<QuoteMessage>('Quote').implement({
  fields: (t) => ({
    symbol: t.expose('symbol', { type: 'Symbol' }),
    price: t.exposeFloat('price'),
    change: t.exposeFloat('change', { nullable: true }),
    changePercent: t.exposeFloat('changePercent', { nullable: true }),
    bid: t.exposeFloat('bid', { nullable: true }),
    ask: t.exposeFloat('ask', { nullable: true }),
    volume: t.exposeFloat('volume'),
    timestamp: t.expose('timestamp', { type: 'DateTime' }),
  }),
});

const decode = (text: string | null): QuoteMessage | null =>
  text === null ? null : (JSON.parse(text) as QuoteMessage);

builder.queryType({
  fields: (t) => ({
    quote: t.field({
      type: Quote,
      nullable: true,
      args: { symbol: t.arg({ type: 'Symbol', required: true }) },
      resolve: async (_root, { symbol }) => decode(await redis.get(quoteKey(symbol))),
    }),
    quotes: t.field({
      type: [Quote],
      nullable: { list: false, items: true },
      args: { symbols: t.arg({ type: ['Symbol'], required: true }) },
      resolve: async (_root, { symbols }) => (await redis.mget(symbols.map(quoteKey))).map(decode),
    }),
  }),
});
builder.subscriptionType({
  fields: (t) => ({
    quoteUpdates: t.field({
      type: Quote,
      args: { symbols: t.arg({ type: ['Symbol'], required: true }) },
      subscribe: (_root, { symbols }) =>
        pubSub.asyncIterableIterator<QuoteMessage>(symbols.map((symbol) => quoteChannel(symbol).name)),
      resolve: (quote) => quote as QuoteMessage,
    }),
  }),
});

type Root = { readonly execute: (args: ExecutionArgs) => never; readonly subscribe: (args: ExecutionArgs) => never };

const yoga = createYoga({ schema: builder.toSchema(), graphiql: { subscriptionsProtocol: 'WS' } });
// A promise that Yoga returns to the server is nobody's to await.
const server = createServer((request, response) => void yoga(request, response));
useServer(
  {
    execute: (args) => (args.rootValue as Root).execute(args),
    subscribe: (args) => (args.rootValue as Root).subscribe(args),
    onSubscribe: async (context, _id, params) => {
      const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
        ...context,
        req: context.extra.request,
        socket: context.extra.socket,
        params,
      });
      const args = {
        schema: schema as ExecutionArgs['schema'],
        operationName: params.operationName,
        document: parse(params.query) as ExecutionArgs['document'],
        variableValues: params.variables,
        contextValue: (await contextFactory()) as unknown,
        rootValue: { execute, subscribe },
      };
      const errors = validate(args.schema, args.document) as [];
      return errors.length > 0 ? errors : args;
    },
  },
  new WebSocketServer({ server, path: yoga.graphqlEndpoint }),
);
listen(server);
