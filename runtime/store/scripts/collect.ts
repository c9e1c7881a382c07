import { defineScript } from '../script'
import { LUA_COLLECT, LUA_PRELUDE, LUA_TAG_RECORD } from './lua'

/**
 * Forgets tag records that are older than every entry, a few at a time.
 *
 * KEYS[1]  tag state (HASH)
 * ARGV[1]  how many records to look at
 *
 * returns  { records looked at, records forgotten, records found damaged }, as text
 */
export const collectScript = defineScript({
  name: 'collect',
  keyCount: 1,
  lua: `${LUA_PRELUDE}${LUA_TAG_RECORD}${LUA_COLLECT}
local state = redis.call('HMGET', KEYS[1], 'clock', 'floor', 'keep')
local clock, floor = tonumber(state[1]), tonumber(state[2])
if not clock or not floor then return { '0', '0', '0' } end
local looked, forgotten = collect(tonumber(ARGV[1]), tonumber(state[3]), clock, floor)
return { decimal(looked), decimal(forgotten), decimal(damaged) }
`,
})
