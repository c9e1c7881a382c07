import { defineScript } from '../script'

/**
 * Stores an entry where there is none, and announces the key. For what the build prerendered: anything under
 * the key is newer than that, whatever its fence says.
 *
 * KEYS[1]  entry (STRING)
 * KEYS[2]  the record (STRING), under a name of its own
 * ARGV[1]  TTL, milliseconds
 * ARGV[2]  channel of the bus
 * ARGV[3]  payload of the message
 *
 * returns  1 stored, 0 there is one already
 *
 * The message goes out in either case: it carries a number that would otherwise be missed.
 */
export const addEntryScript = defineScript({
  name: 'add-entry',
  keyCount: 2,
  lua: `
redis.call('PUBLISH', ARGV[2], 'write ' .. ARGV[3])
if redis.call('TYPE', KEYS[1])['ok'] == 'none' then
  redis.call('RENAME', KEYS[2], KEYS[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  return 1
end
redis.call('DEL', KEYS[2])
return 0
`,
})
