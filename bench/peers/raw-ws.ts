/** `ws` by itself: each event is made text once, and sent to each who watches it. `node bench/peers/raw-ws.ts <redis url>` */
import { createServer } from 'node:http';
import { type WebSocket, WebSocketServer } from 'ws';
import { encodeNext, listen, QuoteRooms, readRequest } from './quotes.ts';

const rooms = new QuoteRooms<WebSocket>(process.argv[2]!, (quote, sockets) => {
  const message = encodeNext(quote);
  for (const socket of sockets) socket.send(message);
});
const server = createServer();
new WebSocketServer({ server, path: '/graphql' }).on('connection', (socket) => {
  socket.on('message', (data: Buffer) => {
    const request = readRequest(data.toString());
    if ('answer' in request) socket.send(request.answer);
    else rooms.join(socket, request.symbols);
  });
  socket.on('close', () => rooms.leave(socket));
});
listen(server);
