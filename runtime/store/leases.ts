import { leaseName } from '../../src/key-names'
import type { LeaseState } from '../../src/store'
import type { Milliseconds } from '../../src/units'
import type { RedisReply } from '../clients/client'
import { text } from './replies'

/** Keys and arguments of the script that claims a lease. `stamp`: head of the record to be replaced, if there is one. */
export function claimOf(
  key: string,
  token: string,
  ttlMs: Milliseconds,
  stamp: Buffer | undefined,
): { keys: [string, string]; args: (string | Buffer)[] } {
  return { keys: [leaseName(key), key], args: [token, String(ttlMs), stamp ?? ''] }
}

/** What that script answers to whoever claims with `token`. */
export function parseLease(reply: RedisReply | undefined, token: string, ttlMs: Milliseconds): LeaseState {
  if (reply === 1) return { holder: token, livesMs: ttlMs }
  const [holder, livesMs] = Array.isArray(reply) ? (reply as RedisReply[]) : []
  return { holder: text(holder), livesMs: typeof livesMs === 'number' ? livesMs : 0 }
}
