import { HEAD_BYTES } from '../../../src/record'
import { defineScript } from '../script'

/**
 * Conditional read: the entry, unless the reader already holds this very record.
 *
 * KEYS[1]  entry (STRING)
 * ARGV[1]  head of the record that the reader holds
 * ARGV[2]  offset of the last byte to send, one past the longest record
 *
 * returns  1 when it is unchanged, else the record, or '' when there is none
 *
 * The head holds fence, times, lengths and checksum: equal heads are equal records.
 */
export const readEntryScript = defineScript({
  name: 'read-entry',
  keyCount: 1,
  lua: `
if redis.call('GETRANGE', KEYS[1], 0, ${HEAD_BYTES - 1}) == ARGV[1] then return 1 end
return redis.call('GETRANGE', KEYS[1], 0, ARGV[2])
`,
})
