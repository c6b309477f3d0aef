/**
 * As far as Node goes: the frame of an event is encoded once, and each socket gets all its frames of one turn of the event
 * loop in one write. No protocol state, no bound, no backpressure. `node bench/peers/pre-framed.ts <redis url>`
 */
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocketServer } from 'ws';
import { encodeNext, listen, QuoteRooms, readRequest } from './quotes.ts';

type Member = { readonly socket: Socket; frames: Buffer[] };

let waiting: Member[] = [];

function flush(): void {
  const members = waiting;
  waiting = [];
  for (const member of members) {
    const { frames } = member;
    member.frames = [];
    member.socket.write(frames.length === 1 ? frames[0]! : Buffer.concat(frames));
  }
}

/** An unmasked text frame of up to 64 KiB. */
function encodeFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const isShort = payload.length < 126;
  const header = Buffer.alloc(isShort ? 2 : 4);
  header[0] = 0x81;
  header[1] = isShort ? payload.length : 126;
  if (!isShort) header.writeUInt16BE(payload.length, 2);
  return Buffer.concat([header, payload]);
}

const rooms = new QuoteRooms<Member>(process.argv[2]!, (quote, members) => {
  const frame = encodeFrame(encodeNext(quote));
  if (waiting.length === 0) setImmediate(flush);
  for (const member of members) {
    if (member.frames.push(frame) === 1) waiting.push(member);
  }
});
const server = createServer();
new WebSocketServer({ server, path: '/graphql' }).on('connection', (webSocket, request) => {
  const member: Member = { socket: request.socket, frames: [] };
  webSocket.on('message', (data: Buffer) => {
    const asked = readRequest(data.toString());
    if ('answer' in asked) webSocket.send(asked.answer);
    else rooms.join(member, asked.symbols);
  });
  webSocket.on('close', () => rooms.leave(member));
});
listen(server);
