import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { decimal } from '../src/ledger/decimal.ts';
import { until } from './until.ts';

/*
 * Alpaca's trading API as its public documentation describes it (https://docs.alpaca.markets: orders, account activities, websocket
 * streaming), with a market that does what the test says.
 */

export const ALPACA_KEY = { keyId: 'PK-a-key-that-no-log-may-hold', secretKey: 'a-secret-that-no-log-may-hold' };

type Status = 'new' | 'partially_filled' | 'filled' | 'canceled' | 'expired' | 'rejected' | 'replaced';

/** As `GET /v2/orders/{id}` shows it. */
export type FakeOrder = {
  readonly id: string;
  readonly client_order_id: string;
  readonly symbol: string;
  readonly qty: string;
  readonly side: 'buy' | 'sell';
  readonly type: 'market' | 'limit';
  readonly time_in_force: string;
  readonly limit_price: string | null;
  readonly submitted_at: string;
  filled_qty: string;
  filled_avg_price: string | null;
  status: Status;
};

/** As `GET /v2/account/activities/FILL` lists it. */
type Fill = Readonly<Record<'id' | 'order_id' | 'transaction_time', string>>;

/** What the next matching request meets instead of its answer. */
export type Trouble =
  | { readonly kind: 'answer'; readonly status: number; readonly body?: object; readonly headers?: object }
  /** Nothing is done, and the connection is cut. */
  | { readonly kind: 'cut' }
  /** What was asked is done, and the connection is cut instead of an answer. */
  | { readonly kind: 'lose' };

const OPEN: readonly Status[] = ['new', 'partially_filled'];

export class FakeAlpaca {
  readonly orders: FakeOrder[] = [];
  /** All requests, as `POST /v2/orders`; without their queries. */
  readonly requests: string[] = [];
  readonly #fills: Fill[] = [];
  readonly #streams = new Set<WebSocket>();
  readonly #server = createServer((request, response) => void this.#handle(request, response));
  readonly #sockets = new WebSocketServer({ noServer: true });
  readonly #troubles: { readonly request: RegExp; readonly trouble: Trouble; times: number }[] = [];
  #port = 0;
  #submissions = 0;
  buyingPower = decimal('1000000');
  /** A key that was taken away. */
  isKeyRevoked = false;
  /** Whether streams are let in. */
  isStreamOpen = true;
  /** The paper API has binary frames, the live one text. */
  isBinary = true;
  /** Fills an order as soon as it is there, before its answer is written; null: it rests. */
  fillAtOnce: string | null = null;
  /** What happens in the market when a cancel arrives. */
  onCancel: (order: FakeOrder) => void = () => {};

  static async start(): Promise<FakeAlpaca> {
    const alpaca = new FakeAlpaca();
    alpaca.#server.on('upgrade', (request, socket, head) => {
      if (request.url !== '/stream' || !alpaca.isStreamOpen) return void socket.destroy();
      return alpaca.#sockets.handleUpgrade(request, socket, head, (stream) => alpaca.#serveStream(stream));
    });
    alpaca.#server.listen(0, '127.0.0.1');
    await once(alpaca.#server, 'listening');
    alpaca.#port = (alpaca.#server.address() as AddressInfo).port;
    return alpaca;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** The order that we have sent last. */
  get last(): FakeOrder {
    return this.orders.at(-1)!;
  }

  /** Streams that listen to updates. */
  get listening(): number {
    return this.#streams.size;
  }

  count(request: string): number {
    return this.requests.filter((one) => one === request).length;
  }

  /** The next `times` requests like this meet trouble. */
  trouble(request: RegExp, trouble: Trouble, times = 1): void {
    this.#troubles.push({ request, trouble, times });
  }

  /** All goes well from now on. */
  endTrouble(): void {
    this.#troubles.length = 0;
  }

  /** An order that arrives on ways of its own. */
  add(fields: FakeOrder): FakeOrder {
    const order = { ...fields, id: randomUUID(), submitted_at: new Date().toISOString() };
    this.orders.push(order);
    return order;
  }

  /** The market trades shares of an order; where `isTold`, the stream tells of it. Returns what tells of it once more. */
  fill(order: FakeOrder, quantity: string, price: string, isTold = true): () => void {
    const filled = decimal(order.filled_qty).plus(quantity);
    const spent = decimal(order.filled_qty)
      .times(order.filled_avg_price ?? '0')
      .plus(decimal(quantity).times(price));
    order.filled_qty = filled.toFixed();
    order.filled_avg_price = spent.div(filled).round(4).toFixed();
    order.status = filled.eq(order.qty) ? 'filled' : 'partially_filled';
    const at = new Date().toISOString();
    const type = order.status === 'filled' ? 'fill' : 'partial_fill';
    const execution = {
      ...{ id: `${at.replaceAll(/\D/g, '')}::${randomUUID()}`, activity_type: 'FILL', order_id: order.id, type },
      ...{ symbol: order.symbol, side: order.side, qty: quantity, price, cum_qty: order.filled_qty },
      ...{ leaves_qty: decimal(order.qty).minus(filled).toFixed(), transaction_time: at },
    };
    // Fills of one millisecond are listed in any order, as those who use it have found.
    this.#fills.unshift(execution);
    const then = { ...order };
    const fields = { execution_id: randomUUID(), qty: quantity, price, timestamp: at, position_qty: '0' };
    const tell = (): void => this.#tell(type, then, fields);
    if (isTold) tell();
    return tell;
  }

  /** An order ends as the market, or somebody at Alpaca, has it. */
  end(order: FakeOrder, status: 'canceled' | 'expired' | 'rejected' | 'replaced', isTold = true): void {
    order.status = status;
    if (isTold) this.#tell(status, order, { timestamp: new Date().toISOString() });
  }

  /** Cuts all streams. */
  cut(): void {
    for (const stream of this.#streams) stream.terminate();
  }

  /** All streams say nothing any more, not even to a ping. */
  freeze(): void {
    for (const stream of this.#streams) stream.pause();
    this.#streams.clear();
  }

  /** All streams say something. */
  say(text: string): void {
    for (const stream of this.#streams) stream.send(text, { binary: this.isBinary });
  }

  /** Resolves once somebody listens to updates. */
  async untilListening(): Promise<void> {
    await until(() => {
      if (this.#streams.size === 0) throw new Error('nobody listens');
    });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, this.url);
    const name = `${request.method!} ${url.pathname}`;
    this.requests.push(name);
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const found = this.#troubles.find((one) => one.times > 0 && one.request.test(name));
    if (found !== undefined) found.times -= 1;
    const trouble = found?.trouble;
    if (trouble?.kind === 'cut') return void request.socket.destroy();
    if (trouble?.kind === 'answer') return answer(response, trouble.status, trouble.body, trouble.headers);
    const { 'apca-api-key-id': keyId, 'apca-api-secret-key': secretKey } = request.headers;
    const [status, body] =
      keyId === ALPACA_KEY.keyId && secretKey === ALPACA_KEY.secretKey && !this.isKeyRevoked
        ? this.#answer(request.method!, url, text)
        : [401, { message: 'unauthorized.' }];
    if (trouble?.kind === 'lose') return void request.socket.destroy();
    return answer(response, status, body);
  }

  #answer(method: string, { pathname, searchParams: query }: URL, text: string): [number, unknown?] {
    if (method === 'POST' && pathname === '/v2/orders') return this.#submit(JSON.parse(text) as Record<string, string>);
    if (method === 'GET' && pathname === '/v2/orders') return [200, this.#list(query)];
    if (method === 'GET' && pathname === '/v2/account/activities/FILL') return [200, this.#listFills(query)];
    const [, id] = /^\/v2\/orders\/([^/]+)$/.exec(pathname) ?? [];
    const order =
      pathname === '/v2/orders:by_client_order_id'
        ? this.orders.find((one) => one.client_order_id === query.get('client_order_id'))
        : this.orders.find((one) => one.id === id);
    if (order === undefined) return [404, { code: 40410000, message: 'order not found' }];
    if (method === 'GET') return [200, order];
    this.onCancel(order);
    if (!OPEN.includes(order.status)) {
      return [422, { code: 42210000, message: `order is already in "${order.status}" state` }];
    }
    // The answer says that the cancel is asked for; the stream, that it is done.
    setImmediate(() => {
      if (OPEN.includes(order.status)) this.end(order, 'canceled');
    });
    return [204];
  }

  #submit(body: Record<string, string>): [number, object] {
    const { client_order_id: name = '', symbol = '', qty = '', side, type, time_in_force: tif = '' } = body;
    const limit = body['limit_price'] ?? null;
    if (name === '' || name.length > 48) return [422, { code: 40010001, message: 'client_order_id is too long' }];
    if (this.orders.some((order) => order.client_order_id === name)) {
      return [422, { code: 40010001, message: 'client_order_id must be unique' }];
    }
    if ((side !== 'buy' && side !== 'sell') || (type !== 'market' && type !== 'limit')) {
      return [422, { code: 40010001, message: 'invalid order' }];
    }
    if ((type === 'limit') !== (limit !== null)) return [422, { code: 40010001, message: 'invalid limit_price' }];
    const places = limit?.split('.')[1]?.length ?? 0;
    if (limit !== null && places > (decimal(limit).gte(1) ? 2 : 4)) {
      const message = `invalid limit_price ${limit}. sub-penny increment does not fulfill minimum pricing criteria`;
      return [422, { code: 42210000, message }];
    }
    if (!/^[A-Z.]+$/.test(symbol)) return [422, { code: 40010001, message: `asset "${symbol}" not found` }];
    if (qty.includes('.') && tif !== 'day') {
      return [422, { code: 42210000, message: 'fractional orders must be DAY orders' }];
    }
    const cost = decimal(limit ?? '0').times(qty);
    if (side === 'buy' && cost.gt(this.buyingPower)) {
      const figures = { buying_power: this.buyingPower.toFixed(), cost_basis: cost.toFixed() };
      return [403, { code: 40310000, message: 'insufficient buying power', ...figures }];
    }
    const order: FakeOrder = {
      ...{ id: randomUUID(), client_order_id: name, symbol, qty, side, type, time_in_force: tif, limit_price: limit },
      submitted_at: new Date(Date.now() + this.#submissions++).toISOString(),
      ...{ filled_qty: '0', filled_avg_price: null, status: 'new' },
    };
    this.orders.push(order);
    const accepted = { ...order };
    this.#tell('new', order, {});
    if (this.fillAtOnce !== null) this.fill(order, order.qty, this.fillAtOnce);
    return [200, accepted];
  }

  #list(query: URLSearchParams): FakeOrder[] {
    const after = query.get('after') ?? '';
    const status = query.get('status') ?? 'open';
    const all = this.orders.filter(
      (order) =>
        order.submitted_at > after && (status === 'all' || OPEN.includes(order.status) === (status === 'open')),
    );
    const ordered = query.get('direction') === 'asc' ? all : all.toReversed();
    return ordered.slice(0, Number(query.get('limit') ?? '50'));
  }

  #listFills(query: URLSearchParams): Fill[] {
    const only = query.get('order_id');
    const after = query.get('after') ?? '';
    const all = this.#fills
      .filter((fill) => fill.transaction_time > after && (only === null || fill.order_id === only))
      .toSorted((a, b) => (a.transaction_time < b.transaction_time ? -1 : 1));
    const ordered = query.get('direction') === 'asc' ? all : all.toReversed();
    const from = ordered.findIndex((fill) => fill.id === query.get('page_token')) + 1;
    return ordered.slice(from, from + Math.min(100, Number(query.get('page_size') ?? '100')));
  }

  #serveStream(socket: WebSocket): void {
    let isAuthorized = false;
    socket.on('error', () => {});
    socket.on('close', () => this.#streams.delete(socket));
    socket.on('message', (data) => {
      const { action, data: body } = JSON.parse((data as Buffer).toString()) as {
        action: string;
        data: { key_id?: string; secret_key?: string; streams?: string[] };
      };
      if (action === 'authenticate') {
        isAuthorized =
          body.key_id === ALPACA_KEY.keyId && body.secret_key === ALPACA_KEY.secretKey && !this.isKeyRevoked;
      }
      if (action === 'authenticate' || !isAuthorized) {
        const status = isAuthorized ? 'authorized' : 'unauthorized';
        this.#write(socket, { stream: 'authorization', data: { status, action } });
        return;
      }
      const streams = (body.streams ?? []).filter((name) => name === 'trade_updates');
      if (streams.length > 0) this.#streams.add(socket);
      this.#write(socket, { stream: 'listening', data: { streams } });
    });
  }

  #tell(event: string, order: FakeOrder, fields: object): void {
    const data = { event, order: { ...order }, ...fields };
    for (const stream of this.#streams) this.#write(stream, { stream: 'trade_updates', data });
  }

  #write(socket: WebSocket, message: object): void {
    socket.send(JSON.stringify(message), { binary: this.isBinary });
  }
}

function answer(response: ServerResponse, status: number, body?: unknown, headers: object = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}
