import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { LogLostError, WriterSupersededError } from './bus.ts';
import type { ExecuteOptions, RedisClient, RedisCommand } from './redis-client.ts';

type Script = { readonly lua: string; readonly sha: string };

/** All that were defined. */
const scripts: Script[] = [];

/**
 * Grants the role of the writer where no other process has it. The token is above the last one, above the server's clock (Unix
 * ms), so that it rises also where the last one was lost, and above the highest one that the process has met. Also where
 * Redis is full: what is written first needs no memory, which lets the rest through. KEYS: the lease, its token. ARGV: the
 * process, the time to live in ms, that token. Returns the token, or nothing.
 */
export const acquireLease = defineScript(`
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return false end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
local token = string.format('%.0f', math.max(last, now, tonumber(ARGV[3])) + 1)
redis.call('PERSIST', KEYS[2])
redis.call('SET', KEYS[2], token)
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return token
`);

/**
 * Extends the role, also one that has ended or was lost with the data, unless it was granted anew since; also where Redis is full.
 * KEYS: the lease, its token. ARGV: the process, the time to live in ms, the token. Returns whether it is had.
 */
export const renewLease = defineScript(`
local holder = redis.call('GET', KEYS[1])
local last = redis.call('GET', KEYS[2])
if (holder and holder ~= ARGV[1]) or (last and tonumber(last) > tonumber(ARGV[3])) then return 0 end
redis.call('PERSIST', KEYS[2])
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

/**
 * States what one process wants, whole or what has changed. KEYS: its hash. ARGV: `whole` or `change`, its time to live in ms,
 * then field and value in turn; a count of 0 removes. Also where Redis is full: who reads prints goes on to be known.
 */
export const stateDemand = defineScript(`
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if ARGV[1] == 'whole' then redis.call('DEL', KEYS[1]) end
for i = 3, #ARGV, 2 do
  if ARGV[i + 1] == '0' then redis.call('HDEL', KEYS[1], ARGV[i])
  else redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
`);

/**
 * Registers a process, also where Redis is full. KEYS: the registry. ARGV: the process, when its lease ends (Unix ms), the time to
 * live of the registry in ms.
 */
export const registerProcess = defineScript(`
local isThere = redis.call('PEXPIRE', KEYS[1], ARGV[3]) == 1
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
if not isThere then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
`);

/** Makes a set hold these and nothing else. KEYS: the set. ARGV: its time to live in ms, then its members. */
export const replaceSet = defineScript(`
redis.call('DEL', KEYS[1])
for i = 2, #ARGV do redis.call('SADD', KEYS[1], ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
`);

/** Makes the scripts known to the server. To be awaited at each connect: a server that restarted has forgotten them. */
export async function loadScripts(redis: Redis): Promise<void> {
  await Promise.all(scripts.map((script) => redis.script('LOAD', script.lua)));
}

/** The command that runs a loaded script. */
export function evaluate(script: Script, keys: readonly string[], args: readonly (string | number)[]): RedisCommand {
  return ['evalsha', script.sha, keys.length, ...keys, ...args];
}

/**
 * Executes commands with scripts among them. A script is never sent again in full where a server does not know it (as
 * `defineCommand` would): what was sent after it could overtake it. Instead it rejects, and the scripts are loaded for the next
 * call. Rejects with {@link WriterSupersededError} or {@link LogLostError} where a fence refused one. Returns the replies.
 */
export async function executeScripts<T>(
  client: RedisClient,
  commands: readonly RedisCommand[],
  options?: ExecuteOptions,
): Promise<T[]> {
  try {
    return await client.execute<T>(commands, options);
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    if (message.startsWith('FENCED ')) throw new WriterSupersededError(Number(message.slice(7)));
    if (message.startsWith('LOST')) throw new LogLostError();
    if (message.startsWith('NOSCRIPT')) await Promise.all(client.servers.map(loadScripts));
    throw error;
  }
}

/** See {@link executeScripts}. Returns the script's reply. */
export async function runScript(
  client: RedisClient,
  script: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  const [reply] = await executeScripts(client, [evaluate(script, keys, args)]);
  return reply;
}

export function defineScript(lua: string): Script {
  const script = { lua, sha: createHash('sha1').update(lua).digest('hex') };
  scripts.push(script);
  return script;
}
