import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { WriterSupersededError } from './bus.ts';
import { LAST_ENTRY_MS } from './lifetimes.ts';

type Script = { readonly lua: string; readonly sha: string };

/**
 * Refuses what an older writer sends, whole and before anything is written, and makes a newer one known. The fences are
 * KEYS from `first` on, each of the slot of what it guards; the token of the writer is ARGV[1], 0 for one without a lease.
 */
const passFences = (first: string): string => `
local first, token = ${first}, ARGV[1]
local fences = redis.call('MGET', unpack(KEYS, first))
for i = 1, #fences do
  if fences[i] and fences[i] ~= token and tonumber(fences[i]) > tonumber(token) then
    return redis.error_reply('FENCED a newer writer is known')
  end
end
for i = 1, #fences do
  if fences[i] ~= token and token ~= '0' then
    redis.call('SET', KEYS[first + i - 1], token, 'PX', ${LAST_ENTRY_MS})
  end
end
`;

/** Makes a writer known. KEYS: the fences. ARGV: its token. */
export const claimFences = defineScript(passFences('1'));

/**
 * Keeps the newest message of each key and publishes it on its channel.
 * KEYS: one per message, then the fence of each. ARGV: the writer's token, how long they are kept in ms, then per message
 * its channel and its text.
 */
export const keepAndPublish = defineScript(`
local count = #KEYS / 2
${passFences('count + 1')}
local ttl = ARGV[2]
for i = 1, count do
  local channel, text = ARGV[i * 2 + 1], ARGV[i * 2 + 2]
  redis.call('SET', KEYS[i], text, 'PX', ttl)
  redis.call('PUBLISH', channel, text)
end
`);

/**
 * Appends to logs and publishes, in one step, so that history and live agree: an entry whose number is not above its log's
 * newest is neither kept nor published, nor is any after it. Then trims some of the logs, approximately, by age and by size.
 * KEYS: the logs, then the fence of each. ARGV: the writer's token, the lowest id to keep, the number of entries to keep, the
 * time to live in ms, how many logs to trim and the index of each; then per entry the index of its log, its id, its channel
 * and its text.
 */
export const appendAndPublish = defineScript(`
local count = #KEYS / 2
${passFences('count + 1')}
local trims = tonumber(ARGV[5])
for i = 6 + trims, #ARGV, 4 do
  redis.call('XADD', KEYS[tonumber(ARGV[i])], ARGV[i + 1], 'data', ARGV[i + 3])
  redis.call('PUBLISH', ARGV[i + 2], ARGV[i + 3])
end
for i = 6, 5 + trims do
  local index = tonumber(ARGV[i])
  local log = KEYS[index]
  redis.call('XTRIM', log, 'MINID', '~', ARGV[2])
  redis.call('XTRIM', log, 'MAXLEN', '~', ARGV[3])
  redis.call('PEXPIRE', log, ARGV[4])
  redis.call('PEXPIRE', KEYS[count + index], ARGV[4])
end
`);

/**
 * Grants the role of the writer where no other process has it. The token is above the last one, and above the server's
 * clock (Unix ms), so that it rises also where the last one was lost. KEYS: the lease, its token. ARGV: the process, the
 * time to live in ms. Returns the token, or nothing.
 */
export const acquireLease = defineScript(`
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return false end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
local token = string.format('%.0f', math.max(last + 1, now))
redis.call('SET', KEYS[2], token)
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return token
`);

/**
 * Extends the role, also one that has ended or was lost with the data, unless it was granted anew since.
 * KEYS: the lease, its token. ARGV: the process, the time to live in ms, the token. Returns whether it is had.
 */
export const renewLease = defineScript(`
local holder = redis.call('GET', KEYS[1])
local last = redis.call('GET', KEYS[2])
if (holder and holder ~= ARGV[1]) or (last and tonumber(last) > tonumber(ARGV[3])) then return 0 end
redis.call('SET', KEYS[2], ARGV[3])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`);

/** Gives the role up and says so. KEYS: the lease, its token. ARGV: the process, the token, the channel, what is said. */
export const releaseLease = defineScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] or redis.call('GET', KEYS[2]) ~= ARGV[2] then return end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[3], ARGV[4])
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

const scripts = [
  claimFences,
  keepAndPublish,
  appendAndPublish,
  acquireLease,
  renewLease,
  releaseLease,
  trimIdle,
  writeUnchanged,
];

/** Makes the scripts known to the server. To be awaited at each connect: a server that restarted has forgotten them. */
export async function loadScripts(redis: Redis): Promise<void> {
  await Promise.all(scripts.map((script) => redis.script('LOAD', script.lua)));
}

/**
 * Runs a loaded script. It is never sent again in full where the server does not know it (as `defineCommand` would):
 * what was sent after it could overtake it. Instead it rejects, and the scripts are loaded for the next call. Rejects with
 * {@link WriterSupersededError} where a fence refused it. Returns the script's reply.
 */
export async function runScript(
  redis: Redis,
  script: Script,
  keys: string[],
  args: (string | number)[],
): Promise<unknown> {
  try {
    return await redis.evalsha(script.sha, keys.length, ...keys, ...args);
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    if (message.startsWith('FENCED')) throw new WriterSupersededError();
    if (message.startsWith('NOSCRIPT')) await loadScripts(redis);
    throw error;
  }
}

function defineScript(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}
