import { defineScript } from '../script'

/**
 * Ends a lease that produced no entry, and wakes whoever waits for it.
 *
 * KEYS[1]  lease (STRING)
 * ARGV[1]  token of the holder
 * ARGV[2]  for how long nobody shall wait for this key, milliseconds; 0: not at all
 * ARGV[3]  channel of the bus
 * ARGV[4]  payload of the message
 *
 * returns  1 released, 0 somebody else's or gone
 */
export const releaseLeaseScript = defineScript({
  name: 'release-lease',
  keyCount: 1,
  lua: `
if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('PSETEX', KEYS[1], ARGV[2], '-')
end
redis.call('PUBLISH', ARGV[3], 'release ' .. ARGV[4])
return 1
`,
})
