import type { Clock, LocalMillis } from '../../src/units'

/** What a read knew: the fence of what is generated after it. */
export interface KnownAtRead {
  readonly fence: Clock | undefined
  readonly at: LocalMillis
}

/** What the oldest read of each key in a request knew. Most requests read one key, and need no Map for it. */
export class OldestReads {
  private firstKey: string | undefined
  private first: KnownAtRead | undefined
  private others: Map<string, KnownAtRead> | undefined

  note(key: string, fence: Clock | undefined, at: LocalMillis): void {
    if (this.firstKey === key || this.others?.has(key)) return
    const known = { fence, at }
    if (this.firstKey === undefined) {
      this.firstKey = key
      this.first = known
    } else {
      this.others ??= new Map()
      this.others.set(key, known)
    }
  }

  /** Once: what is read later begins anew. */
  take(key: string): KnownAtRead | undefined {
    if (this.firstKey === key) {
      this.firstKey = undefined
      return this.first
    }
    const known = this.others?.get(key)
    this.others?.delete(key)
    return known
  }
}
