import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** What a link does not let through: as a proxy that knows no WebSockets, one that gathers streams, or a network that is gone. */
export type Barred = 'nothing' | 'sockets' | 'streams' | 'sockets and streams' | 'all';

export type BreakableLink = {
  /** The server behind, through this link. */
  readonly url: string;
  /** Breaks all connections that stand, as a network does. */
  readonly cut: () => void;
  /** From now on; what stands and is barred is broken. */
  readonly bar: (barred: Barred) => void;
  readonly close: () => Promise<void>;
};

type Connection = { readonly near: Socket; kind: 'socket' | 'stream' | 'request' };

/** A network between a client and a server on loopback, which can be broken. */
export async function openBreakableLink(targetUrl: string): Promise<BreakableLink> {
  const target = new URL(targetUrl);
  const connections = new Set<Connection>();
  let barred: Barred = 'nothing';

  const isBarred = ({ kind }: Connection): boolean =>
    barred === 'all' || (kind !== 'request' && barred.includes(`${kind}s`));

  const server = createServer((near) => {
    const connection: Connection = { near, kind: 'request' };
    connections.add(connection);
    if (isBarred(connection)) return void near.destroy();
    const far = connect(Number(target.port), target.hostname);
    near.on('data', (bytes: Buffer) => {
      connection.kind = readKind(bytes) ?? connection.kind;
      if (isBarred(connection)) near.destroy();
      else far.write(bytes);
    });
    near.on('end', () => far.end());
    far.pipe(near);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('error', () => to.destroy());
      from.once('close', () => to.destroy());
    }
    near.once('close', () => connections.delete(connection));
    return undefined;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(targetUrl);
  url.port = String((server.address() as AddressInfo).port);
  const cut = (): void => {
    for (const { near } of connections) near.destroy();
  };
  return {
    url: url.href,
    cut,
    bar: (next) => {
      barred = next;
      for (const connection of connections) if (isBarred(connection)) connection.near.destroy();
    },
    close: async () => {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What a connection is for, by the head of a request; `null`: these bytes are none. */
function readKind(bytes: Buffer): Connection['kind'] | null {
  const head = bytes.toString('latin1').split('\r\n\r\n', 1)[0]!;
  if (!/^[A-Z]+ \S+ HTTP/.test(head)) return null;
  if (/\r\nupgrade: *websocket/i.test(head)) return 'socket';
  return /\r\naccept: *text\/event-stream/i.test(head) ? 'stream' : 'request';
}
