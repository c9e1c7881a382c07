import { CLOCK_HORIZON_MICROS } from '../../../src/units'

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
