/** Socket.IO with a room for each symbol. `node bench/peers/socket-io.ts <redis url>` */
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { listen, QuoteRooms } from './quotes.ts';

const server = createServer();
const io = new Server(server, { transports: ['websocket'] });
// The rooms are Socket.IO's own: one member stands for all, so that Redis is subscribed to.
const rooms = new QuoteRooms<typeof io>(process.argv[2]!, (quote) => io.to(quote.symbol).emit('quoteUpdates', quote));
io.on('connection', (socket) => {
  socket.on('subscribe', (symbols: string[]) => {
    rooms.join(io, symbols);
    void socket.join(symbols);
  });
});
listen(server);
