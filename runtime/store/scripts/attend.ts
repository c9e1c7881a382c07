import { defineScript } from '../script'
import { LUA_COLLECT, LUA_PRELUDE, LUA_TAG_RECORD } from './lua'

/** Records that a heartbeat looks at; if many of them are too old, others follow (`TagWriter.collect`). */
const COLLECTED_PER_CALL = 8

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
 * ARGV[8]  how long this process's entries may need a tag record, microseconds
 *
 * returns  { clock, floor, incarnation, server time in microseconds, tag records looked at, forgotten, found
 *          damaged }, all as text
 *
 * The floor is raised past everything known when the state is missing or unreadable (FLUSHALL, eviction, poison),
 * when its clock is behind what this process saw (failover to a replica that lagged), and when a process
 * boots and nobody lived meanwhile (the cache was off, and what was invalidated then is not known). Of a time that lies
 * ahead, since the server's clock was set back, nobody knows how long ago it was.
 *
 * Deployments may differ in how long their entries live: 'keep' is the longest time that anybody needed records for,
 * until everything that he stored is gone ('keepUntil').
 */
export const attendScript = defineScript({
  name: 'attend',
  keyCount: 1,
  lua: `${LUA_PRELUDE}${LUA_TAG_RECORD}${LUA_COLLECT}
local kind = redis.call('TYPE', KEYS[1])['ok']
if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
local state = redis.call('HMGET', KEYS[1], 'clock', 'floor', 'incarnation', 'alive', 'keep', 'keepUntil')
local clock, floor, incarnation, alive = tonumber(state[1]), tonumber(state[2]), state[3], tonumber(state[4])
local keep, keep_until, observed = tonumber(state[5]), tonumber(state[6]), usable(tonumber(ARGV[1]))
local lost = not intact(clock, floor, incarnation)
local was = floor
if lost then incarnation = ARGV[2] end
if lost or clock < observed then
  clock = math.max(now, observed + 1, usable(clock) + 1)
  floor = clock
elseif ARGV[4] == 'boot' and (not alive or math.abs(now - alive) > tonumber(ARGV[5])) then
  clock = math.max(now, clock + 1)
  floor = clock
end
local mine = tonumber(ARGV[8])
if not keep or not keep_until or mine >= keep or now > keep_until then
  keep, keep_until = mine, now + mine
end
redis.call('HSET', KEYS[1], 'clock', decimal(clock), 'floor', decimal(floor), 'incarnation', incarnation, 'alive', decimal(now), 'keep', decimal(keep), 'keepUntil', decimal(keep_until))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if floor ~= was then redis.call('PUBLISH', ARGV[6], 'floor ' .. decimal(clock)) end
redis.call('PUBLISH', ARGV[6], 'heartbeat ' .. decimal(clock) .. ' ' .. ARGV[7])
local looked, forgotten = collect(${COLLECTED_PER_CALL}, keep, clock, floor)
return { decimal(clock), decimal(floor), incarnation, decimal(now), decimal(looked), decimal(forgotten), decimal(damaged) }
`,
})
