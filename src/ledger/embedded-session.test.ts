import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { EmbeddedSession, Turns } from './embedded-session.ts';

/** A message of Postgres' protocol: a letter, where it has one, its length, and its content. */
function encode(letter: string, content: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(4 + content.length);
  return Buffer.concat([Buffer.from(letter), length, content]);
}

const encodeQuery = (text: string): Buffer => encode('Q', Buffer.from(`${text}\0`));
/** Version 3.0 of the protocol, and no parameters. */
const STARTUP = encode('', Buffer.from([0, 3, 0, 0, 0]));

it('whoever falls silent in the middle of a transaction is sent away, and the others have their turn', async () => {
  const asked: string[] = [];
  let state = 'I';
  const turns = new Turns({
    async answer(message) {
      const text = Buffer.from(message.subarray(5, -1)).toString();
      if (message[0] === 'Q'.charCodeAt(0)) asked.push(text);
      if (text === 'BEGIN') state = 'T';
      if (text === 'ROLLBACK') state = 'I';
      return encode('Z', Buffer.from(state));
    },
  });
  const server = createServer((socket) => void new EmbeddedSession(socket, turns, 10));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const open = async (): Promise<Socket> => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write(STARTUP);
    await once(socket, 'data');
    return socket;
  };
  const [silent, other] = [await open(), await open()];
  const sentAway = once(silent, 'close');
  silent.write(encodeQuery('BEGIN'));
  await once(silent, 'data');
  other.write(encodeQuery('SELECT 1'));
  await once(other, 'data');
  expect(asked).toEqual(['BEGIN', 'ROLLBACK', 'SELECT 1']);
  silent.resume();
  await sentAway;
  other.destroy();
  server.close();
});
