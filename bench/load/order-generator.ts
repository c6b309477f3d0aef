/** A process for the bench: users who place orders at a pace and watch their portfolios and notifications. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { AccountTrail, type ToldExecution } from './account-trail.ts';
import { type Percentiles, summarize } from './percentiles.ts';
import { PORTFOLIO } from './protocol.ts';
import { serve } from './servant.ts';
import { signToken } from './token.ts';

export type OpenRequest = {
  readonly port: number;
  readonly secret: string;
  /** By user, the symbols of which shares are held. */
  readonly symbolsOf: ReadonlyMap<string, readonly string[]>;
};

export type PlaceRequest = { readonly seconds: number; readonly perSecond: number };

/** In ms, each from when the order was sent. */
export type Placed = {
  readonly orders: number;
  readonly byWebSocket: Percentiles;
  readonly byHttp: Percentiles;
  readonly notified: Percentiles;
  readonly shown: Percentiles;
  /** Orders that were refused or not filled; a few of the answers. */
  readonly unfilled: number;
  readonly words: readonly string[];
  /** Orders of which the user was not told, or which no portfolio came to hold. */
  readonly untold: number;
  /** See {@link AccountTrail.read}. */
  readonly unexplained: number;
};

type User = {
  readonly name: string;
  readonly number: number;
  readonly token: string;
  readonly client: Client;
  readonly symbols: readonly string[];
  readonly trail: AccountTrail;
  orders: number;
};

type SentOrder = { readonly user: User; readonly sentAt: number; readonly id: string };
type Answer = { readonly data?: { readonly placeOrder: { readonly id: string; readonly status: string } } | null };

const NOTIFICATIONS =
  'subscription { tradeNotifications { __typename ' +
  '... on TradeExecuted { orderId side quantity price } ... on TradeFailed { orderId code } } }';
const PLACE_ORDER =
  'mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { id status reason filledQuantity averagePrice } }';
const LAST_NEWS_MS = 10_000;
const WORDS = 3;

const users: User[] = [];
let url = '';
let unfilled = 0;
let words: string[] = [];
let took: Record<'webSocket' | 'http', number[]> = { webSocket: [], http: [] };
let sent: SentOrder[] = [];

function takeTrouble(trouble: unknown): void {
  if (words.length < WORDS) words.push((trouble instanceof Error ? String(trouble) : JSON.stringify(trouble)) ?? '');
}

/** Resolves when all have their first portfolio. */
async function open({ port, secret, symbolsOf }: OpenRequest): Promise<void> {
  url = `http://127.0.0.1:${port}/graphql`;
  for (const [name, symbols] of symbolsOf) {
    const token = signToken(name, secret);
    const client = createClient({
      url: url.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${token}` },
      retryAttempts: 0,
    });
    const user: User = { name, number: users.length, token, client, symbols, trail: new AccountTrail(), orders: 0 };
    users.push(user);
    await watch(user);
  }
}

async function watch({ client, trail }: User): Promise<void> {
  const hasBegun = Promise.withResolvers<void>();
  const ended = (error: unknown): void => {
    takeTrouble(error);
    hasBegun.reject(error instanceof Error ? error : new Error(JSON.stringify(error)));
  };
  client.subscribe<{ tradeNotifications: ToldExecution & { readonly __typename: string } }>(
    { query: NOTIFICATIONS },
    {
      next: ({ data }) => {
        const told = data?.tradeNotifications;
        if (told?.__typename === 'TradeExecuted') trail.noteExecution(told, performance.now());
        else takeTrouble(told);
      },
      error: ended,
      complete: () => undefined,
    },
  );
  client.subscribe<{ portfolio: { readonly cash: string } }>(
    { query: PORTFOLIO },
    {
      next: ({ data }) => {
        if (data == null) return;
        trail.noteCash(data.portfolio.cash, performance.now());
        hasBegun.resolve();
      },
      error: ended,
      complete: () => undefined,
    },
  );
  await hasBegun.promise;
}

/** The symbols in turn: a share of each is bought and sold again, so that the account stays as it is. */
function makeInput({ name, number, symbols, orders }: User): object {
  const round = Math.floor(orders / symbols.length);
  const place = orders % symbols.length;
  return {
    clientOrderId: `${name}-${orders}`,
    symbol: symbols[place],
    side: (round + place + number) % 2 === 0 ? 'BUY' : 'SELL',
    quantity: '1',
  };
}

async function askByHttp({ token }: User, input: object): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: PLACE_ORDER, variables: { input } }),
  });
  return (await response.json()) as Answer;
}

function askByWebSocket({ client }: User, input: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    client.subscribe(
      { query: PLACE_ORDER, variables: { input } },
      { next: (answer) => resolve(answer as Answer), error: reject, complete: () => undefined },
    );
  });
}

async function placeNext(user: User): Promise<void> {
  const input = makeInput(user);
  // Each user's in turn by either way.
  const way = (user.orders + user.number) % 2 === 0 ? 'webSocket' : 'http';
  user.orders += 1;
  const sentAt = performance.now();
  try {
    const answer = await (way === 'http' ? askByHttp(user, input) : askByWebSocket(user, input));
    took[way].push(performance.now() - sentAt);
    const order = answer.data?.placeOrder;
    if (order?.status === 'FILLED') sent.push({ user, sentAt, id: order.id });
    else {
      unfilled += 1;
      takeTrouble(answer);
    }
  } catch (error) {
    unfilled += 1;
    takeTrouble(error);
  }
}

let state = 7;
/** At random, the same in each run: orders of a user come in bursts and after pauses, as people's do. */
function pickUser(): User {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return users[Math.floor((state / 2 ** 32) * users.length)]!;
}

/** At the pace, whether or not those before are answered. Counts these alone. */
async function place({ seconds, perSecond }: PlaceRequest): Promise<Placed> {
  unfilled = 0;
  words = [];
  took = { webSocket: [], http: [] };
  sent = [];
  const orders = seconds * perSecond;
  const began = performance.now();
  const asking: Promise<void>[] = [];
  while (asking.length < orders) {
    const due = Math.min(orders, Math.floor(((performance.now() - began) / 1_000) * perSecond) + 1);
    while (asking.length < due) asking.push(placeNext(pickUser()));
    await sleep(1);
  }
  await Promise.all(asking);
  const until = performance.now() + LAST_NEWS_MS;
  let result = readTimes();
  while (result.untold > 0 && performance.now() < until) {
    await sleep(50);
    result = readTimes();
  }
  return { orders, ...result };
}

function readTimes() {
  const trails = new Map(users.map((user) => [user, user.trail.read()]));
  const notified: number[] = [];
  const shown: number[] = [];
  let untold = 0;
  for (const { user, sentAt, id } of sent) {
    const times = trails.get(user)!.times.get(id);
    if (times === undefined || times.shownAt === null) untold += 1;
    else shown.push(times.shownAt - sentAt);
    if (times !== undefined) notified.push(times.notifiedAt - sentAt);
  }
  return {
    byWebSocket: summarize(took.webSocket),
    byHttp: summarize(took.http),
    notified: summarize(notified),
    shown: summarize(shown),
    unfilled,
    words,
    untold,
    unexplained: [...trails.values()].reduce((sum, trail) => sum + trail.unexplained, 0),
  };
}

const commands = { open, place };
export type OrderGeneratorCommands = typeof commands;
serve(commands);
