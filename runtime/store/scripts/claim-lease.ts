import { HEAD_BYTES } from '../../../src/record'
import type { Milliseconds } from '../../../src/units'
import { defineScript } from '../script'

/** Neither leases nor marks live longer. */
const LONGEST_LEASE_MS: Milliseconds = 120_000

/**
 * Claims the right to generate an entry, or tells who has it.
 *
 * KEYS[1]  lease (STRING): the holder's token, or '-' for a key that is not worth waiting for
 * KEYS[2]  entry (STRING)
 * ARGV[1]  token of the claimant
 * ARGV[2]  life of the lease unless it is renewed, milliseconds
 * ARGV[3]  head of the record that the claimant wants to replace, '' if it found none
 *
 * returns  1 granted, or { token of the holder, or '-'; milliseconds that the lease still lives }, or { 'changed', 0 }
 *          when there is another record by now: then the claimant reads again
 *
 * What is no lease of ours (another type, no end or a far one) would hold off everybody: it is replaced.
 */
export const claimLeaseScript = defineScript({
  name: 'claim-lease',
  keyCount: 2,
  lua: `
local head = redis.pcall('GETRANGE', KEYS[2], 0, ${HEAD_BYTES - 1})
if type(head) == 'string' and head ~= ARGV[3] then return { 'changed', 0 } end
local granted = redis.pcall('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX')
if type(granted) == 'table' and granted['ok'] then return 1 end
local holder = redis.pcall('GETRANGE', KEYS[1], 0, 127)
local lives = redis.call('PTTL', KEYS[1])
if type(holder) == 'string' and lives > 0 and lives <= ${LONGEST_LEASE_MS} then return { holder, lives } end
redis.call('PSETEX', KEYS[1], ARGV[2], ARGV[1])
return 1
`,
})
