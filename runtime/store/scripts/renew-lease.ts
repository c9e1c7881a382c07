import { defineScript } from '../script'

/**
 * Prolongs a lease that is still the holder's.
 *
 * KEYS[1]  lease (STRING)
 * ARGV[1]  token of the holder
 * ARGV[2]  its life from now, milliseconds
 *
 * returns  1 prolonged, 0 somebody else's or gone
 */
export const renewLeaseScript = defineScript({
  name: 'renew-lease',
  keyCount: 1,
  lua: `
if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`,
})
