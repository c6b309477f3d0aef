import { startLedger } from './ledger.ts';

/* A ledger in a process of its own, which a test may kill: places an order of a user at each message, and answers with it. */

const opened = await startLedger(JSON.parse(process.argv[2]!) as { url: string | null; dataDir: string });
opened.market.set('AAPL', { bid: 100, ask: 100 });
await opened.ledger.readAccount('somebody');
process.on('message', ({ question, user }: { question: number; user: string }) => {
  opened.place(user, { clientOrderId: crypto.randomUUID() }).then(
    (order) => process.send!({ question, id: order.id, status: order.status }),
    (error: unknown) => process.send!({ question, id: '', status: String(error) }),
  );
});
process.once('disconnect', () => process.exit());
process.send!('ready');
