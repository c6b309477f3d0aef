import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

type Script = { readonly lua: string; readonly sha: string };

/**
 * Keeps the newest message of each key and publishes it on its channel.
 * KEYS: one per message. ARGV: how long it is kept in ms, then per message its channel and its text.
 */
export const keepAndPublish = defineScript(`
local ttl = ARGV[1]
for i = 1, #KEYS do
  local channel, text = ARGV[i * 2], ARGV[i * 2 + 1]
  redis.call('SET', KEYS[i], text, 'PX', ttl)
  redis.call('PUBLISH', channel, text)
end
`);

/**
 * Appends to logs and publishes, in one step, so that history and live agree: an entry whose number is not above its log's
 * newest is neither kept nor published, nor is any after it. Then trims some of the logs, approximately, by age and by size.
 * KEYS: the logs. ARGV: the lowest id to keep, the number of entries to keep, the time to live in ms, how many logs to trim
 * and the index of each; then per entry the index of its log, its id, its channel and its text.
 * (When appending is to be fenced, this is where.)
 */
export const appendAndPublish = defineScript(`
local trims = tonumber(ARGV[4])
for i = 5 + trims, #ARGV, 4 do
  redis.call('XADD', KEYS[tonumber(ARGV[i])], ARGV[i + 1], 'data', ARGV[i + 3])
  redis.call('PUBLISH', ARGV[i + 2], ARGV[i + 3])
end
for i = 5, 4 + trims do
  local log = KEYS[tonumber(ARGV[i])]
  redis.call('XTRIM', log, 'MINID', '~', ARGV[1])
  redis.call('XTRIM', log, 'MAXLEN', '~', ARGV[2])
  redis.call('PEXPIRE', log, ARGV[3])
end
`);

/**
 * Trims logs by age, exactly, but for their newest entry. KEYS: the logs. ARGV: the lowest offset to keep.
 */
export const trimIdle = defineScript(`
for i = 1, #KEYS do
  local newest = redis.call('XREVRANGE', KEYS[i], '+', '-', 'COUNT', 1)[1]
  if newest then
    local offset = string.match(newest[1], '^%d+')
    local lowest = tonumber(offset) < tonumber(ARGV[1]) and offset or ARGV[1]
    redis.call('XTRIM', KEYS[i], 'MINID', lowest .. '-0')
  end
end
`);

/**
 * Writes each key only where it still holds what the writer read before.
 * KEYS: the keys. ARGV: per key what is expected (`absent`, or `=` and the text), the new text, its time to live in ms.
 */
export const writeUnchanged = defineScript(`
for i = 1, #KEYS do
  local expected = ARGV[i * 3 - 2]
  local kept = redis.call('GET', KEYS[i])
  if (kept and '=' .. kept or 'absent') == expected then
    redis.call('SET', KEYS[i], ARGV[i * 3 - 1], 'PX', ARGV[i * 3])
  end
end
`);

/** Makes the scripts known to the server. To be awaited at each connect: a server that restarted has forgotten them. */
export async function loadScripts(redis: Redis): Promise<void> {
  await Promise.all(
    [keepAndPublish, appendAndPublish, trimIdle, writeUnchanged].map((script) => redis.script('LOAD', script.lua)),
  );
}

/**
 * Runs a loaded script. It is never sent again in full where the server does not know it (as `defineCommand` would):
 * what was sent after it could overtake it. Instead it rejects, and the scripts are loaded for the next call.
 */
export async function runScript(
  redis: Redis,
  script: Script,
  keys: string[],
  args: (string | number)[],
): Promise<void> {
  try {
    await redis.evalsha(script.sha, keys.length, ...keys, ...args);
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('NOSCRIPT')) await loadScripts(redis);
    throw error;
  }
}

function defineScript(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}
