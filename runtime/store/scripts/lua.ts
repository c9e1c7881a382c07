import { MAX_CLOCK } from '../../../src/units'

/**
 * Lua that several scripts start with: the server's time, numbers that survive as decimal text, and whether the
 * tag state is one that we wrote (comparisons with NaN are false, and Lua reads 'nan' as a number).
 */
export const LUA_PRELUDE = `
local function decimal(n) return string.format('%.0f', n) end
local function intact(clock, floor, incarnation)
  return clock and floor and incarnation and #incarnation > 0 and #incarnation <= 64
    and floor >= 0 and floor <= clock and clock <= ${MAX_CLOCK}
end
local function usable(clock)
  if clock and clock >= 0 and clock <= ${MAX_CLOCK} then return clock end
  return 0
end
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
`
