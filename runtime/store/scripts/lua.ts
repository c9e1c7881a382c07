import { MAX_SOFT_WINDOWS } from '../../../src/tag-state'
import { CLOCK_HORIZON_MICROS, NEVER } from '../../../src/units'

/**
 * Lua that several scripts start with: the server's time, numbers that survive as decimal text, and whether the
 * tag state is one that we wrote (comparisons with NaN are false, and Lua reads 'nan' as a number).
 */
export const LUA_PRELUDE = `
local function decimal(n) return string.format('%.0f', n) end
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
local function usable(clock)
  if clock and clock >= 0 and clock <= now + ${CLOCK_HORIZON_MICROS} then return clock end
  return 0
end
local function intact(clock, floor, incarnation)
  return incarnation and #incarnation > 0 and #incarnation <= 64
    and clock and usable(clock) == clock and floor and floor >= 0 and floor <= clock
end
`

/**
 * Tag records, by the rules of src/tag-state.ts; a window is { clock, deadline }. Defines
 *
 * - `parse_record(text, moment)`: hard clock and windows. What cannot be read may have said anything: it is counted
 *   in `damaged`, and taken for a hard invalidation at `moment`.
 * - `format_record(hard, windows)`: the text of the record in its normal form.
 */
export const LUA_TAG_RECORD = `
local damaged = 0
local function parse_record(text, moment)
  if not text then return 0, {} end
  local hard = #text <= 16 and string.find(text, '^%d+$') and tonumber(text)
  if hard and hard <= ${NEVER} then return hard, {} end
  local numbers = {}
  if #text <= ${17 * (1 + 2 * MAX_SOFT_WINDOWS)} then
    for part in string.gmatch(text .. ' ', '([^ ]*) ') do
      local number = string.find(part, '^%d+$') and #part <= 16 and tonumber(part)
      if not number or number > ${NEVER} then numbers = {} break end
      numbers[#numbers + 1] = number
    end
  end
  if #numbers % 2 == 0 or #numbers > ${1 + 2 * MAX_SOFT_WINDOWS} then
    damaged = damaged + 1
    return moment, {}
  end
  local windows = {}
  for i = 2, #numbers, 2 do windows[#windows + 1] = { numbers[i], numbers[i + 1] } end
  return numbers[1], windows
end
local function format_record(hard, windows)
  for _, window in ipairs(windows) do
    if window[2] <= now then hard = math.max(hard, window[1]) end
  end
  table.sort(windows, function(a, b) return a[1] < b[1] or (a[1] == b[1] and a[2] > b[2]) end)
  local soft = {}
  for _, window in ipairs(windows) do
    if window[1] > hard then
      while #soft > 0 and soft[#soft][2] >= window[2] do table.remove(soft) end
      soft[#soft + 1] = { window[1], window[2] }
    end
  end
  while #soft > ${MAX_SOFT_WINDOWS} do
    soft[2][2] = soft[1][2]
    table.remove(soft, 1)
  end
  local parts = { decimal(hard) }
  for _, window in ipairs(soft) do
    parts[#parts + 1] = decimal(window[1])
    parts[#parts + 1] = decimal(window[2])
  end
  return table.concat(parts, ' ')
end
`

/**
 * Needs LUA_TAG_RECORD. Defines `collect(count, keep, clock, floor)`, which looks at some records by chance and
 * forgets those whose newest invalidation is older than `keep` microseconds: no entry lives so long that has not
 * heard of it. The floor rises to what was forgotten, so that forgetting is safe even when an entry does (a write that came
 * late, a deployment with longer lives): it costs that entry, never the truth. What cannot be read becomes a
 * hard invalidation. Returns how many records it looked at, and how many it forgot.
 *
 * Best effort, and the last thing that a script does: where an ACL forbids the commands, the state grows until its
 * TTL ends.
 */
export const LUA_COLLECT = `
local function collect(count, keep, clock, floor)
  local fields = keep and redis.pcall('HRANDFIELD', KEYS[1], count, 'WITHVALUES') or {}
  local looked, forgotten, dead = 0, floor, {}
  for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 1) == ':' then
      looked = looked + 1
      local bad = damaged
      local newest, windows = parse_record(fields[i + 1], clock)
      for _, window in ipairs(windows) do newest = math.max(newest, window[1]) end
      if damaged > bad then
        redis.pcall('HSET', KEYS[1], fields[i], decimal(newest))
      elseif newest < now - keep then
        dead[#dead + 1] = fields[i]
        forgotten = math.max(forgotten, newest)
      end
    end
  end
  if #dead == 0 then return looked, 0 end
  local raised = redis.pcall('HSET', KEYS[1], 'floor', decimal(forgotten))
  if type(raised) == 'table' then return looked, 0 end
  local gone = redis.pcall('HDEL', KEYS[1], unpack(dead))
  return looked, type(gone) == 'number' and gone or 0
end
`
