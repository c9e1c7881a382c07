import { defineScript } from '../script'
import { LUA_PRELUDE } from './lua'

/**
 * Says "a process that hears invalidations lives" to the tag state and to the bus, and mends the tag state where knowledge was lost.
 *
 * KEYS[1]  tag state (HASH)
 * ARGV[1]  newest clock this process has observed, 0 if none
 * ARGV[2]  incarnation to give the state if it has to be created
 * ARGV[3]  TTL of the state, milliseconds
 * ARGV[4]  'boot' for the first call of a process, else ''
 * ARGV[5]  how long nobody may have attended before a boot distrusts the entries, microseconds
 * ARGV[6]  channel of the bus
 * ARGV[7]  heartbeat payload
 *
 * returns  { clock, floor, incarnation, server time in microseconds }, all as text
 *
 * The floor is raised past everything known when the state is missing or unreadable (FLUSHALL, eviction, poison),
 * when its clock is behind what this process saw (failover to a replica that lagged), and when a process
 * boots and nobody lived meanwhile (the cache was off, and what was invalidated then is not known).
 */
export const attendScript = defineScript({
  name: 'attend',
  keyCount: 1,
  lua: `${LUA_PRELUDE}
local kind = redis.call('TYPE', KEYS[1])['ok']
if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
local state = redis.call('HMGET', KEYS[1], 'clock', 'floor', 'incarnation', 'alive')
local clock, floor, incarnation, alive = tonumber(state[1]), tonumber(state[2]), state[3], tonumber(state[4])
local observed = usable(tonumber(ARGV[1]))
local lost = not intact(clock, floor, incarnation)
local was = floor
if lost then incarnation = ARGV[2] end
if lost or clock < observed then
  clock = math.max(now, observed + 1, usable(clock) + 1)
  floor = clock
elseif ARGV[4] == 'boot' and (not alive or now - alive > tonumber(ARGV[5])) then
  clock = math.max(now, clock + 1)
  floor = clock
end
redis.call('HSET', KEYS[1], 'clock', decimal(clock), 'floor', decimal(floor), 'incarnation', incarnation, 'alive', decimal(now))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if floor ~= was then redis.call('PUBLISH', ARGV[6], 'floor ' .. decimal(clock)) end
redis.call('PUBLISH', ARGV[6], 'heartbeat ' .. decimal(clock) .. ' ' .. ARGV[7])
return { decimal(clock), decimal(floor), incarnation, decimal(now) }
`,
})
