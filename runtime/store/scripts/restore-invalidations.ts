import { defineScript } from '../script'
import { LUA_PRELUDE, LUA_TAG_RECORD } from './lua'

/**
 * Writes acknowledged invalidations again, with the clocks that they had, where the state does not know of them: a
 * replica that was promoted before they reached it. Idempotent; a record is never lowered.
 *
 * KEYS[1]  tag state (HASH)
 * ARGV[1]  channel of the bus
 * ARGV[2]  floor that was acknowledged, 0 if none
 * ARGV[3]  floor to raise if anything was lost, 0 if none: what is restored here is all that is remembered of more
 * ARGV[4]  field name of a tag, then
 * ARGV[5]  its record; and so on in pairs
 *
 * returns  { clock, records that were raised, records found damaged }, as text; the clock is 0 where there is no
 *          state: whoever creates it raises the floor past all of this
 *
 * The clock moves when anything was raised, so that a reply from before it cannot be taken for newer than the
 * message: whoever hears that forgets what it learnt. It is never behind a record.
 */
export const restoreInvalidationsScript = defineScript({
  name: 'restore-invalidations',
  keyCount: 1,
  lua: `${LUA_PRELUDE}${LUA_TAG_RECORD}
local state = redis.pcall('HMGET', KEYS[1], 'clock', 'floor')
local clock, floor = tonumber(state[1] or ''), tonumber(state[2] or '')
if not intact(clock, floor, '?') then return { '0', '0', '0' } end
local was, raised, newest = floor, 0, 0
floor = math.max(floor, tonumber(ARGV[2]))
local function knows(hard, windows, at, deadline)
  if at <= hard or at <= floor then return true end
  for _, window in ipairs(windows) do
    if at <= window[1] and window[2] <= math.max(now, deadline) then return true end
  end
  return false
end
for i = 4, #ARGV, 2 do
  local hard, windows = parse_record(redis.call('HGET', KEYS[1], ARGV[i]), clock + 1)
  local lost_hard, lost_windows = parse_record(ARGV[i + 1], clock + 1)
  local known = knows(hard, windows, lost_hard, 0)
  for _, window in ipairs(lost_windows) do
    if not knows(hard, windows, window[1], window[2]) then known = false end
  end
  if not known then
    newest = math.max(newest, lost_hard)
    for _, window in ipairs(lost_windows) do
      newest = math.max(newest, window[1])
      windows[#windows + 1] = window
    end
    redis.call('HSET', KEYS[1], ARGV[i], format_record(math.max(hard, lost_hard), windows))
    raised = raised + 1
  end
end
if raised > 0 then floor = math.max(floor, tonumber(ARGV[3])) end
if raised > 0 or floor ~= was then
  clock = math.max(now, clock + 1, floor, newest)
  redis.call('HSET', KEYS[1], 'clock', decimal(clock), 'floor', decimal(floor))
  redis.call('PUBLISH', ARGV[1], 'restore ' .. decimal(clock))
end
return { decimal(clock), decimal(raised), decimal(damaged) }
`,
})
