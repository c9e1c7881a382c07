import { NEVER } from '../../../src/units'
import { defineScript } from '../script'
import { LUA_COLLECT, LUA_PRELUDE, LUA_TAG_RECORD } from './lua'

/**
 * Records that an invalidation looks at, to forget those that are too old. More than it adds, and few: looking at
 * them is half of what it costs. Heartbeats look at more.
 */
const COLLECTED_PER_CALL = 2
/** Fields and values in one command: Lua takes 8,000 of them apart, no more. */
const MAX_FIELDS = 4_000

/**
 * Invalidates tags: moves the clock and records it for every tag of the call. What it costs depends on the
 * number of tags in the call, never on how many entries carry them, nor on how many tags are recorded.
 *
 * KEYS[1]  tag state (HASH)
 * ARGV[1]  newest clock this process has observed, 0 if none
 * ARGV[2]  incarnation to give the state if it has to be created
 * ARGV[3]  TTL of the state, milliseconds
 * ARGV[4]  channel of the bus
 * ARGV[5]  payload of the message
 * ARGV[6]  field name of a tag, then
 * ARGV[7]  '' for a hard invalidation, else microseconds until the soft one turns hard; and so on in pairs
 *
 * returns  { clock, server time in microseconds, records found damaged }, as text
 *
 * The rules of a tag record are those of src/tag-state.ts (applyInvalidation).
 */
export const invalidateScript = defineScript({
  name: 'invalidate',
  keyCount: 1,
  lua: `${LUA_PRELUDE}${LUA_TAG_RECORD}${LUA_COLLECT}
local kind = redis.call('TYPE', KEYS[1])['ok']
if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
local state = redis.call('HMGET', KEYS[1], 'clock', 'floor', 'incarnation', 'keep')
local clock, floor, incarnation = tonumber(state[1]), tonumber(state[2]), state[3]
local observed = usable(tonumber(ARGV[1]))
local lost = not intact(clock, floor, incarnation)
if lost then incarnation = ARGV[2] end
if lost or clock < observed then
  clock = math.max(now, observed + 1, usable(clock) + 1)
  floor = clock
  redis.call('HSET', KEYS[1], 'floor', decimal(floor), 'incarnation', incarnation)
  redis.call('PUBLISH', ARGV[4], 'floor ' .. decimal(clock))
end
local before = decimal(clock)
clock = math.max(now, clock + 1)
local written, time = decimal(clock), decimal(now)
local records, fields = {}, { 'clock', written }
for i = 6, #ARGV, 2 do
  local field, window = ARGV[i], tonumber(ARGV[i + 1])
  local record = written
  if window and window > 0 then
    local hard, windows = parse_record(records[field] or redis.call('HGET', KEYS[1], field), clock)
    windows[#windows + 1] = { clock, math.min(${NEVER}, now + window) }
    record = format_record(hard, windows)
  end
  records[field] = record
  fields[#fields + 1], fields[#fields + 2] = field, record
  if #fields >= ${MAX_FIELDS} then
    redis.call('HSET', KEYS[1], unpack(fields))
    fields = {}
  end
end
if #fields > 0 then redis.call('HSET', KEYS[1], unpack(fields)) end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PUBLISH', ARGV[4], 'invalidate ' .. before .. ' ' .. written .. ' ' .. time .. ' ' .. ARGV[5])
collect(${COLLECTED_PER_CALL}, tonumber(state[4]), clock, floor)
return { written, time, decimal(damaged) }
`,
})
