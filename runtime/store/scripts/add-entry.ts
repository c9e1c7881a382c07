import { defineScript } from '../script'

/**
 * Stores an entry where there is none, and announces the key. For what the build prerendered: anything under
 * the key is newer than that, whatever its fence says.
 *
 * KEYS[1]  entry (STRING)
 * ARGV[1]  the record
 * ARGV[2]  TTL, milliseconds
 * ARGV[3]  channel of the bus
 * ARGV[4]  payload of the message
 *
 * returns  1 stored, 0 there is one already
 *
 * The message goes out in either case: it carries a number that would otherwise be missed.
 */
export const addEntryScript = defineScript({
  name: 'add-entry',
  keyCount: 1,
  lua: `
redis.call('PUBLISH', ARGV[3], 'write ' .. ARGV[4])
if redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX') then return 1 end
return 0
`,
})
