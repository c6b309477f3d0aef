import { expect, onTestFinished, test } from 'vitest';
import { ManualTimers } from '../../test/manual-time.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import { ScriptedUpstream } from '../../test/scripted-upstream.ts';
import { createPolygonFeed } from '../feeds/polygon/socket.ts';
import { InterruptibleFeed } from './interruptible-feed.ts';
import { until } from '../../test/until.ts';

test('who comes to the connection anew does not inherit the patience of the time before: it connects at once', async () => {
  const upstream = await ScriptedUpstream.start();
  onTestFinished(() => upstream[Symbol.asyncDispose]());
  const timers = new ManualTimers();
  const { logger } = recordingLogger();
  const feed = new InterruptibleFeed(() =>
    createPolygonFeed({ url: upstream.url, apiKey: 'key', logger, timers, random: () => 1 }),
  );
  onTestFinished(() => feed.close());
  let isConnected = false;
  feed.start({
    onEvents: () => {},
    onStatus: ({ connected }) => (isConnected = connected),
    onPrintFlow: () => {},
    onIndexFlow: () => {},
  });
  for (const delayMs of [500, 1_000, 2_000, 4_000, 8_000]) {
    await until(() => expect(isConnected).toBe(true));
    timers.advance(1);
    upstream.connections.at(-1)!.socket.terminate();
    await until(() => expect(timers.delays).toContain(delayMs));
    if (delayMs < 8_000) timers.advance(delayMs);
  }
  feed.interrupt('the lease was lost');
  const count = upstream.connections.length;
  await feed.resume();
  await until(() => expect(isConnected).toBe(true));
  expect(upstream.connections).toHaveLength(count + 1);
});
