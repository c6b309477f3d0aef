import { LAST_ENTRY_MS } from './lifetimes.ts';
import { defineScript } from './redis-scripts.ts';

/*
 * The scripts of the log, and what is written under the token of a writer.
 *
 * A Redis that is full (`maxmemory`, `noeviction`) refuses what may need memory, also in a script, as long as that script has
 * not written anything. So what is to make room for something goes in a script of its own, before it (`trimLogs`): in one script it
 * would be refused together with it, or let it through although there is no room. What has to go on where Redis is full, because it makes room or keeps a lease, and
 * takes no more than some bytes, writes something first that needs no memory: such a script is let through.
 */

/**
 * Refuses what an older writer sends, whole and before anything is written. The fences are KEYS from `first` to `last`, each of
 * the slot of what it guards; the token of the writer is ARGV[1], 0 for one without a lease. A fence is a token, and a letter
 * for each log that exists.
 */
const readFences = (first: string, last: string): string => `
local first, token = ${first}, ARGV[1]
local fences, tokens = redis.call('MGET', unpack(KEYS, first, ${last})), {}
for i = 1, #fences do
  tokens[i] = fences[i] and string.match(fences[i], '^%d+')
  if tokens[i] and tokens[i] ~= token and tonumber(tokens[i]) > tonumber(token) then
    return redis.error_reply('FENCED ' .. tokens[i])
  end
end
`;

/** Makes a newer writer known where an older one is. Where none is, that is a sign of a loss: it stays for the log to find. */
const RENEW_FENCES = `
for i = 1, #fences do
  if tokens[i] and tokens[i] ~= token and token ~= '0' then
    fences[i] = token .. string.match(fences[i], '%a*$')
    redis.call('SET', KEYS[first + i - 1], fences[i], 'PX', ${LAST_ENTRY_MS})
  end
end
`;

/** A writer makes itself known to a log before it appends: where nobody is known, the data was lost meanwhile. */
const REFUSE_LOST = `
for i = 1, #fences do
  if not fences[i] and token ~= '0' then return redis.error_reply('LOST no writer is known') end
end
`;

/** Makes a writer known to what has no log, also where Redis is full. KEYS: the fences. ARGV: its token. */
export const claimFences = defineScript(`
${readFences('1', '#KEYS')}
for i = 1, #fences do
  redis.call('PERSIST', KEYS[i])
  redis.call('SET', KEYS[i], token, 'PX', ${LAST_ENTRY_MS})
end
`);

/**
 * Makes a writer known to the logs of symbols, for as long as they last from now on. KEYS: the fences, then three logs of each.
 * ARGV: its token. Returns the indexes of the fences that knew none before, and of those that knew a log that is gone.
 */
export const claimLogs = defineScript(`
local count = #KEYS / 4
${readFences('1', 'count')}
local unknown, lost = {}, {}
for i = 1, count do
  local known, left, isLost = fences[i] and string.match(fences[i], '%a*$') or '', '', false
  for at = 1, 3 do
    local letter = string.sub('tsm', at, at)
    if redis.call('PEXPIRE', KEYS[count + (i - 1) * 3 + at], ${LAST_ENTRY_MS}) == 1 then left = left .. letter
    elseif string.find(known, letter, 1, true) then isLost = true end
  end
  if not fences[i] then unknown[#unknown + 1] = i end
  if isLost then lost[#lost + 1] = i end
  redis.call('SET', KEYS[i], token .. left, 'PX', ${LAST_ENTRY_MS})
end
return { unknown, lost }
`);

/**
 * Keeps the newest message of each key and publishes it on its channel.
 * KEYS: one per message, then the fence of each. ARGV: the writer's token, how long they are kept in ms, by which command they
 * are published, then per message its channel and its text.
 */
export const keepAndPublish = defineScript(`
local count = #KEYS / 2
${readFences('count + 1', '#KEYS')}
${RENEW_FENCES}
local ttl, publish = ARGV[2], ARGV[3]
for i = 1, count do
  local channel, text = ARGV[i * 2 + 2], ARGV[i * 2 + 3]
  redis.call('SET', KEYS[i], text, 'PX', ttl)
  redis.call(publish, channel, text)
end
`);

/** Publishes a message without keeping it. KEYS: its fence. ARGV: the writer's token, the channel, the text. */
export const publishUnkept = defineScript(`
${readFences('1', '#KEYS')}
redis.call('PUBLISH', ARGV[2], ARGV[3])
`);

/**
 * Appends to logs and publishes, in one step, so that history and live agree: an entry whose number is not above its log's
 * newest is neither kept nor published, nor is any after it. Where one of the logs ends before where it is known to have
 * ended, nothing is written: returns the index of each such log and the offset of its newest entry in turn. Where one is
 * gone that should be there, all of it is refused.
 * KEYS: the logs, then the fences of their symbols. ARGV: the writer's token, by which command is published, the time to live
 * in ms, how many logs there are, how many of them are trimmed by size and given their time to live anew, and how many entries
 * those keep; then per log its channel and what is known of
 * it: `+`, it is there; a number, it ends at this offset or later and is to be looked at; a letter and the index of its fence, it
 * is not known to be there, and then is from now on; then the indexes of those that are trimmed; then per entry the
 * index of its log, its offset and its text.
 */
export const appendAndPublish = defineScript(`
local count, renewals = tonumber(ARGV[4]), tonumber(ARGV[5])
${readFences('count + 1', '#KEYS')}
${REFUSE_LOST}
local at, expected, short = 6, {}, {}
for i = 1, count do
  local known = ARGV[at + i * 2]
  if known == '+' then expected[#expected + 1] = KEYS[i]
  elseif tonumber(known) then
    local newest = redis.call('XREVRANGE', KEYS[i], '+', '-', 'COUNT', 1)[1]
    local offset = newest and string.match(newest[1], '^%d+') or '0'
    if tonumber(offset) < tonumber(known) then
      short[#short + 1] = tostring(i)
      short[#short + 1] = offset
    end
  end
end
if token ~= '0' and #expected > 0 and redis.call('EXISTS', unpack(expected)) < #expected then
  return redis.error_reply('LOST a log is gone')
end
if #short > 0 then return short end
${RENEW_FENCES}
local publish = ARGV[2]
local from = at + count * 2
for i = from + renewals + 1, #ARGV, 3 do
  local index, text = tonumber(ARGV[i]), ARGV[i + 2]
  redis.call('XADD', KEYS[index], ARGV[i + 1], 'data', text)
  redis.call(publish, ARGV[at + index * 2 - 1], text)
end
for i = from + 1, from + renewals do
  local log = KEYS[tonumber(ARGV[i])]
  redis.call('XTRIM', log, 'MAXLEN', '~', ARGV[6])
  redis.call('PEXPIRE', log, ARGV[3])
end
for i = 1, count do
  local letter, index = string.match(ARGV[at + i * 2], '^(%a)(%d+)$')
  local fence = letter and fences[tonumber(index)]
  if fence and not string.find(fence, letter, 1, true) then
    fences[tonumber(index)] = fence .. letter
    redis.call('SET', KEYS[count + index], fence .. letter, 'PX', ${LAST_ENTRY_MS})
  end
end
`);

/**
 * Trims logs by age and by size, but for their newest entry. KEYS: the logs. ARGV: how exactly, `=` or `~`; the lowest offset to
 * keep, the number of entries to keep.
 */
export const trimLogs = defineScript(`
for i = 1, #KEYS do
  local newest = redis.call('XREVRANGE', KEYS[i], '+', '-', 'COUNT', 1)[1]
  if newest then
    local offset = string.match(newest[1], '^%d+')
    local lowest = tonumber(offset) < tonumber(ARGV[2]) and offset or ARGV[2]
    redis.call('XTRIM', KEYS[i], 'MINID', ARGV[1], lowest .. '-0')
    redis.call('XTRIM', KEYS[i], 'MAXLEN', ARGV[1], ARGV[3])
  end
end
`);

/**
 * Says from which offset on the logs are kept, before they are trimmed up to there. KEYS: where that is written. ARGV: the
 * offset. The highest that was said holds for good.
 */
export const stateTrimmed = defineScript(`
redis.call('PERSIST', KEYS[1])
local known = redis.call('GET', KEYS[1])
if known and tonumber(known) >= tonumber(ARGV[1]) then return end
redis.call('SET', KEYS[1], ARGV[1])
`);

/** The server's clock, Unix ms. KEYS: one that leads to the server. */
export const readTime = defineScript(`
local time = redis.call('TIME')
return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
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
redis.call('PERSIST', KEYS[1])
redis.call('SET', KEYS[1], epoch)
return epoch
`);
