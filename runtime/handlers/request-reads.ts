import type { Entry } from '../../src/entry'
import type { Clock, LocalMillis } from '../../src/units'
import { dropOldest } from '../drop-oldest'
import type { ResponseValue } from './next-types'

/** What a read knew: the fence of what is generated after it. */
export interface KnownAtRead {
  readonly fence: Clock | undefined
  readonly at: LocalMillis
}

/** The handler of images lives as long as the server, and most of what it reads is never set. */
export const MAX_READS = 1_000

/** Which entries values were made of, but for the first value of each request. */
const origins = new WeakMap<object, Entry>()

/**
 * What one request read: what the oldest read of each key knew, and where the values come from that were handed out,
 * since a failed refresh writes the same object back, through the handler that read it (`ResponseCache.handleGet`).
 * Most requests read one key: its facts need neither Map nor WeakMap, which cost more than the rest of a hit.
 */
export class RequestReads {
  private key: string | undefined
  private fence: Clock | undefined
  private at: LocalMillis = 0
  private others: Map<string, KnownAtRead> | undefined
  private value: object | undefined
  private entry: Entry | undefined

  note(key: string, fence: Clock | undefined, at: LocalMillis): void {
    if (this.key === key || this.others?.has(key)) return
    if (this.key === undefined) {
      this.key = key
      this.fence = fence
      this.at = at
    } else {
      this.others ??= new Map()
      this.others.set(key, { fence, at })
      // Whoever sets it all the same has the fence of a set without a read, an older one.
      dropOldest(this.others, MAX_READS)
    }
  }

  /** Once: what is read later begins anew. */
  take(key: string): KnownAtRead | undefined {
    if (this.key === key) {
      this.key = undefined
      return { fence: this.fence, at: this.at }
    }
    const known = this.others?.get(key)
    this.others?.delete(key)
    return known
  }

  handOut(value: ResponseValue, entry: Entry): void {
    // The handler of images lives as long as the server, and keeps none alive.
    if (this.value !== undefined || value.kind === 'IMAGE') origins.set(value, entry)
    else {
      this.value = value
      this.entry = entry
    }
  }

  /** The entry that the value, and no copy of it, was made of. */
  originOf(value: object): Entry | undefined {
    return value === this.value ? this.entry : origins.get(value)
  }
}
