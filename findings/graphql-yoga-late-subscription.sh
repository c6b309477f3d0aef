#!/usr/bin/env bash
# A client asks graphql-yoga for a subscription as server-sent events, and ends its connection while the resolver's `subscribe` is
# still at work. The source that `subscribe` then returns has no reader.
#
# Expected: Yoga closes the source (calls its `return`), as it does where the client leaves a moment later.
# Seen:     the source is never closed, and stays open for as long as the process lives.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module"}' > package.json
npm install --silent --no-audit --no-fund graphql-yoga@5.24.1 graphql@16.15.0
cat > leave.mjs <<'JS'
import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { createSchema, createYoga } from 'graphql-yoga';

const sources = { opened: 0, closed: 0 };
const finishSubscribe = [];
async function subscribe() {
  await new Promise((resolve) => finishSubscribe.push(resolve));
  sources.opened++;
  const end = {};
  end.promise = new Promise((resolve) => (end.resolve = resolve));
  return {
    [Symbol.asyncIterator]() { return this; },
    next: () => end.promise,
    async return() { sources.closed++; end.resolve({ done: true }); return { done: true }; },
  };
}
const schema = createSchema({
  typeDefs: 'type Query { a: Int } type Subscription { n: Int }',
  resolvers: { Subscription: { n: { subscribe } } },
});
const server = createServer(createYoga({ schema, logging: false })).listen(0, '127.0.0.1');
await once(server, 'listening');
const url = `http://127.0.0.1:${server.address().port}/graphql`;
const headers = { 'content-type': 'application/json', accept: 'text/event-stream' };

async function leave(isEarly) {
  const client = new AbortController();
  const before = { ...sources };
  const body = JSON.stringify({ query: 'subscription { n }' });
  fetch(url, { method: 'POST', headers, body, signal: client.signal }).then((answer) => answer.text()).catch(() => {});
  while (finishSubscribe.length === 0) await wait(10);
  if (isEarly) { client.abort(); await wait(200); }
  finishSubscribe.pop()();
  await wait(500);
  client.abort();
  await wait(2000);
  return `${sources.opened - before.opened} opened, ${sources.closed - before.closed} closed`;
}
console.log(`left while subscribe was at work: ${await leave(true)}`);
console.log(`left after subscribe: ${await leave(false)}`);
process.exit();
JS
version="$(grep -m1 '"version"' node_modules/graphql-yoga/package.json | tr -dc '0-9.')"
seen="$(node leave.mjs)"
echo "graphql-yoga $version on Node $(node --version)"
echo "$seen"
expected_now='left while subscribe was at work: 1 opened, 0 closed
left after subscribe: 1 opened, 1 closed'
if [ "$seen" != "$expected_now" ]; then
  echo "This has changed."
  exit 1
fi
