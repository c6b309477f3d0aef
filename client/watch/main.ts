import { createTapeClient } from '../src/graphql/tape-client.ts';
import { createJsonView, createLineView } from './line-view.ts';
import { HELP, readOptions, UsageError, type WatchOptions } from './options.ts';
import { createScreenView } from './screen-view.ts';
import type { View } from './view.ts';
import { watch } from './watch.ts';

const { stdout, stderr } = process;
/** A socket whose peer does not answer its close would keep the process for its own deadline. */
const EXIT_DEADLINE_MS = 1000;
/** What a table that is painted ten times a second can show. */
const SCREEN_MAX_RATE_HZ = 10;

async function run(): Promise<number> {
  let options: WatchOptions | 'help';
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    stderr.write(`watch: ${error.message}\nTry: npm run watch -- --help\n`);
    return 2;
  }
  if (options === 'help') {
    stdout.write(HELP);
    return 0;
  }

  const stopping = new AbortController();
  const stop = (): void => stopping.abort();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  // Whoever read us is gone (`| head`): there is nobody left to tell.
  stdout.on('error', stop);

  const client = createTapeClient({ url: options.url });
  const view = openView(options);
  const maxRateHz = options.maxRateHz ?? (stdout.isTTY && !options.json ? SCREEN_MAX_RATE_HZ : null);
  const end = await watch(client, view, { ...options, maxRateHz }, stopping.signal);
  view.close();
  await client.dispose();
  if (end.status === 1) stderr.write(`watch: ${end.message}\n`);
  return end.status;
}

function openView({ json, url, symbols }: WatchOptions): View {
  if (json) return createJsonView({ out: stdout, err: stderr });
  if (stdout.isTTY) return createScreenView(stdout, url, symbols);
  return createLineView({ out: stdout, err: stderr }, url);
}

process.exitCode = await run();
setTimeout(() => process.exit(), EXIT_DEADLINE_MS).unref();
