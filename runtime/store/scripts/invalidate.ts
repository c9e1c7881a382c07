import { MAX_SOFT_WINDOWS } from '../../../src/tag-state'
import { NEVER } from '../../../src/units'
import { defineScript } from '../script'
import { LUA_PRELUDE } from './lua'

/**
 * Invalidates tags: moves the clock and records it for every tag of the call. What it costs depends on the
 * number of tags in the call, never on how many entries carry them.
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
 * returns  { clock, server time in microseconds }, as text
 *
 * The rules of a tag record are those of src/tag-state.ts (applyInvalidation).
 */
export const invalidateScript = defineScript({
  name: 'invalidate',
  keyCount: 1,
  lua: `${LUA_PRELUDE}
local kind = redis.call('TYPE', KEYS[1])['ok']
if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
local state = redis.call('HMGET', KEYS[1], 'clock', 'floor', 'incarnation')
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
local before = clock
clock = math.max(now, clock + 1)
redis.call('HSET', KEYS[1], 'clock', decimal(clock))
for i = 6, #ARGV, 2 do
  local field, window = ARGV[i], tonumber(ARGV[i + 1])
  local record
  if not window or window <= 0 then
    record = decimal(clock)
  else
    local deadline = math.min(${NEVER}, now + window)
    local numbers = {}
    local said = redis.call('HGET', KEYS[1], field) or '0'
    for number in string.gmatch(said, '%d+') do
      numbers[#numbers + 1] = tonumber(number)
    end
    local hard, clocks, deadlines = numbers[1], {}, {}
    -- What is no record of ours may have said anything up to now.
    if not string.find(said, '^%d[%d ]*$') or hard > before then hard = before end
    for j = 2, #numbers - 1, 2 do
      if numbers[j + 1] <= now then
        hard = math.max(hard, math.min(numbers[j], before))
      elseif numbers[j + 1] < deadline then
        clocks[#clocks + 1] = math.min(numbers[j], before)
        deadlines[#deadlines + 1] = numbers[j + 1]
      end
    end
    clocks[#clocks + 1] = clock
    deadlines[#deadlines + 1] = deadline
    while #clocks > ${MAX_SOFT_WINDOWS} do
      table.remove(clocks, 1)
      table.remove(deadlines, 2)
    end
    local parts = { decimal(hard) }
    for j = 1, #clocks do
      parts[#parts + 1] = decimal(clocks[j])
      parts[#parts + 1] = decimal(deadlines[j])
    end
    record = table.concat(parts, ' ')
  end
  redis.call('HSET', KEYS[1], field, record)
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PUBLISH', ARGV[4], 'invalidate ' .. decimal(before) .. ' ' .. decimal(clock) .. ' ' .. decimal(now) .. ' ' .. ARGV[5])
return { decimal(clock), decimal(now) }
`,
})
