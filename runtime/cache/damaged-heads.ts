import { HEAD_BYTES } from '../../src/record'
import { dropOldest } from '../drop-oldest'

const MAX_KEYS = 10_000

/**
 * Heads of records that a read found damaged. The store keeps the newer of two records by what their heads
 * claim, and a damaged one may claim anything: whoever found it names it, and the next write replaces exactly
 * that, whatever it claims. Forgetting one costs a read that finds it again.
 */
export class DamagedHeads {
  private readonly heads = new Map<string, Buffer>()

  found(key: string, record: Uint8Array): void {
    this.heads.delete(key)
    // A copy: the record may be large.
    this.heads.set(key, Buffer.from(record.subarray(0, HEAD_BYTES)))
    dropOldest(this.heads, MAX_KEYS)
  }

  get(key: string): Buffer | undefined {
    return this.heads.get(key)
  }

  /** Something else is under the key by now. */
  gone(key: string): void {
    this.heads.delete(key)
  }
}
