import { DistributedCacheError } from '../../src/errors'
import type { Milliseconds } from '../../src/units'
import type { RedisClient } from '../clients/client'

export interface ConfirmationOptions {
  /** A connection of its own: a server answers nothing behind a WAIT, and no read shall wait for a replica. */
  readonly client: RedisClient
  /** The tag state. */
  readonly key: string
  /** Life of the tag state, which the question renews: the write that stands for all before it. */
  readonly ttlMs: Milliseconds
  /** Enough of them: the server answers sooner when so many have it. */
  readonly replicas: number
  /** How long the server waits for them. */
  readonly waitMs: Milliseconds
}

/**
 * Asks how many replicas have all that was acknowledged until now. WAIT counts what its own connection wrote, and
 * replication is one stream: a write that changes nothing stands for all before it. Whoever asks while one WAIT is
 * under way shares the next one, so that nobody waits for more than two.
 *
 * @returns the question, which rejects when the server does not say
 */
export function createConfirmation(options: ConfirmationOptions): () => Promise<number> {
  const { client, key, ttlMs, replicas, waitMs } = options
  let current: Promise<number> | undefined
  let next: Promise<number> | undefined

  async function wait(): Promise<number> {
    await client.waitUntilReady(waitMs)
    const [, confirmed] = await client.send(
      [
        { key, args: ['PEXPIRE', key, String(ttlMs)] },
        { key, args: ['WAIT', String(replicas), String(waitMs)] },
      ],
      2 * waitMs,
    )
    if (typeof confirmed === 'number') return confirmed
    const reason = confirmed instanceof Error ? confirmed.message : 'not a number'
    throw new DistributedCacheError('CLIENT', `WAIT failed: ${reason}`)
  }

  async function afterCurrent(): Promise<number> {
    await current?.catch(() => {})
    const mine = wait()
    current = mine
    next = undefined
    try {
      return await mine
    } finally {
      if (current === mine) current = undefined
    }
  }

  return () => (next ??= afterCurrent())
}
