import { LAST_ENTRY_MS } from './lifetimes.ts';
import { defineScript } from './redis-scripts.ts';

/* What is written under the token of a writer. */

/**
 * Refuses what an older writer sends, whole and before anything is written, and makes a newer one known where an older one is.
 * Where none is, that is a sign of a loss: it stays for the log to find. The fences are KEYS from `first` on, each of the
 * slot of what it guards; the token of the writer is ARGV[1], 0 for one without a lease.
 */
const passFences = (first: string, onUnknown = ''): string => `
local first, token = ${first}, ARGV[1]
local fences = redis.call('MGET', unpack(KEYS, first))
for i = 1, #fences do
  if fences[i] and fences[i] ~= token and tonumber(fences[i]) > tonumber(token) then
    return redis.error_reply('FENCED ' .. fences[i])
  end
end
${onUnknown}
for i = 1, #fences do
  if fences[i] and fences[i] ~= token and token ~= '0' then
    redis.call('SET', KEYS[first + i - 1], token, 'PX', ${LAST_ENTRY_MS})
  end
end
`;

/** A writer makes itself known to a log before it appends: where nobody is known, the data was lost meanwhile. */
const REFUSE_LOST = `
for i = 1, #fences do
  if not fences[i] and token ~= '0' then return redis.error_reply('LOST no writer is known') end
end
`;

/**
 * Makes a writer known, for as long as a log lasts. KEYS: the fences. ARGV: its token. Returns the indexes of those that knew
 * none before.
 */
export const claimFences = defineScript(`
${passFences('1')}
local unknown = {}
for i = 1, #fences do
  if not fences[i] then unknown[#unknown + 1] = i end
  redis.call('SET', KEYS[i], token, 'PX', ${LAST_ENTRY_MS})
end
return unknown
`);

/**
 * Keeps the newest message of each key and publishes it on its channel.
 * KEYS: one per message, then the fence of each. ARGV: the writer's token, how long they are kept in ms, by which command they
 * are published, then per message its channel and its text.
 */
export const keepAndPublish = defineScript(`
local count = #KEYS / 2
${passFences('count + 1')}
local ttl, publish = ARGV[2], ARGV[3]
for i = 1, count do
  local channel, text = ARGV[i * 2 + 2], ARGV[i * 2 + 3]
  redis.call('SET', KEYS[i], text, 'PX', ttl)
  redis.call(publish, channel, text)
end
`);

/**
 * Appends to logs and publishes, in one step, so that history and live agree: an entry whose number is not above its log's
 * newest is neither kept nor published, nor is any after it. Where one of the logs ends before where it is known to have
 * ended, nothing is written: returns the index of each such log and the offset of its newest entry in turn. Then trims some
 * of the logs, approximately, by age and by size.
 * KEYS: the logs, then the fences of their symbols. ARGV: the writer's token, by which command is published, the lowest id to
 * keep, the number of entries to keep, the time to live in ms, how many logs there are, how many are looked at and how many
 * are trimmed; then the channel of each log, index and known offset of those that are looked at, the index of those that are
 * trimmed; then per entry the index of its log, its offset and its text.
 */
export const appendAndPublish = defineScript(`
local count, looks, trims = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
${passFences('count + 1', REFUSE_LOST)}
local at, short = 8 + count, {}
for i = at + 1, at + looks * 2, 2 do
  local newest = redis.call('XREVRANGE', KEYS[tonumber(ARGV[i])], '+', '-', 'COUNT', 1)[1]
  local offset = newest and string.match(newest[1], '^%d+') or '0'
  if tonumber(offset) < tonumber(ARGV[i + 1]) then
    short[#short + 1] = ARGV[i]
    short[#short + 1] = offset
  end
end
if #short > 0 then return short end
at = at + looks * 2
local publish = ARGV[2]
for i = at + trims + 1, #ARGV, 3 do
  local index, text = tonumber(ARGV[i]), ARGV[i + 2]
  redis.call('XADD', KEYS[index], ARGV[i + 1], 'data', text)
  redis.call(publish, ARGV[8 + index], text)
end
for i = at + 1, at + trims do
  local log = KEYS[tonumber(ARGV[i])]
  redis.call('XTRIM', log, 'MINID', '~', ARGV[3])
  redis.call('XTRIM', log, 'MAXLEN', '~', ARGV[4])
  redis.call('PEXPIRE', log, ARGV[5])
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
 * Names the incarnation of the log; begins a new one where there is none, where some of the log was lost in it, or where it is
 * one of before the newest that is known (a failover may bring it back). A name begins with the time at which it begins, and
 * is above that of the one before. KEYS: the epoch. ARGV: the newest that is known, or nothing; `lost` where some was lost
 * in that; what makes the name unique.
 */
export const openEpoch = defineScript(`
local epoch, known = redis.call('GET', KEYS[1]), ARGV[1]
if epoch and epoch >= known and not (ARGV[2] == 'lost' and epoch == known) then return epoch end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local last = tonumber(string.sub(known, 1, 13)) or 0
epoch = string.format('%.0f-%s', math.max(now, last + 1), ARGV[3])
redis.call('SET', KEYS[1], epoch)
return epoch
`);
