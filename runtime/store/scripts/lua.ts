/** Lua that several scripts start with: the server's time, and numbers that survive as decimal text. */
export const LUA_PRELUDE = `
local function decimal(n) return string.format('%.0f', n) end
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
`
