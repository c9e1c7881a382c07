import { HEAD_BYTES, MAGIC, MAGIC_OFFSET, ORDER_BYTES, ORDER_OFFSET } from '../../../src/record'
import { defineScript } from '../script'

/** Magic and format version, as Lua counts bytes. */
const MAGIC_RANGE = `${MAGIC_OFFSET + 1}, ${MAGIC_OFFSET + MAGIC.length}`

/**
 * Stores an entry unless a newer one is there: newer by fence, then by the time at which the generation
 * began, whoever was the faster writer. Ends the lease of the writer, and announces the key: others drop the
 * body that they hold, and whoever waits for the entry wakes. A key that was marked as not worth waiting for
 * is worth it again.
 *
 * KEYS[1]  entry (STRING)
 * KEYS[2]  lease (STRING)
 * KEYS[3]  the record (STRING), under a name of its own: what a script is given, Lua hashes byte by byte
 * ARGV[1]  head of the record
 * ARGV[2]  TTL, milliseconds
 * ARGV[3]  token of the writer's lease, '' if it has none
 * ARGV[4]  channel of the bus
 * ARGV[5]  payload of the message
 * ARGV[6]  head of a record that the writer found damaged: it is replaced, whatever it claims; '' if none
 *
 * returns  1 stored, 0 superseded
 *
 * Bytes are compared one by one: Lua compares strings by the server's locale. Whatever else is stored
 * under the key, another type, another format version and less than a head included, is overwritten.
 */
export const writeEntryScript = defineScript({
  name: 'write-entry',
  keyCount: 3,
  lua: `
local new = ARGV[1]
local holder = redis.pcall('GETRANGE', KEYS[2], 0, 127)
if holder == '-' or (holder == ARGV[3] and ARGV[3] ~= '') then redis.call('DEL', KEYS[2]) end
redis.call('PUBLISH', ARGV[4], 'write ' .. ARGV[5])
local old = redis.pcall('GETRANGE', KEYS[1], 0, ${HEAD_BYTES - 1})
if type(old) == 'string' and #old == ${HEAD_BYTES} and old ~= ARGV[6] and string.sub(old, ${MAGIC_RANGE}) == string.sub(new, ${MAGIC_RANGE}) then
  for i = ${ORDER_OFFSET + 1}, ${ORDER_OFFSET + ORDER_BYTES} do
    local was, is = string.byte(old, i), string.byte(new, i)
    if was > is then
      redis.call('DEL', KEYS[3])
      return 0
    end
    if was < is then break end
  end
end
redis.call('RENAME', KEYS[3], KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
`,
})
