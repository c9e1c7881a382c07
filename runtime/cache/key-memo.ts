import type { EntryScope, KeyNames } from '../../src/key-names'

const MAX_KEYS = 2_048
/** A longer key costs more to keep, and to compare, than to hash. */
const MAX_KEY_LENGTH = 1_024

type Names = Record<EntryScope, Map<string, string>>

/** The names of keys that were read lately: a hit of local memory would spend more on the hash than on anything else. */
export class KeyMemo {
  private recent = noNames()
  private older = noNames()
  private count = 0

  constructor(private readonly names: Pick<KeyNames, 'entry'>) {}

  nameOf(scope: EntryScope, cacheKey: string): string {
    const known = this.recent[scope].get(cacheKey)
    if (known !== undefined) return known
    const name = this.older[scope].get(cacheKey) ?? this.names.entry(scope, cacheKey)
    if (cacheKey.length > MAX_KEY_LENGTH) return name
    if (++this.count > MAX_KEYS) {
      // Whatever is still in use comes back from there.
      this.older = this.recent
      this.recent = noNames()
      this.count = 1
    }
    this.recent[scope].set(cacheKey, name)
    return name
  }
}

function noNames(): Names {
  return { response: new Map(), fetch: new Map(), image: new Map(), 'use-cache': new Map() }
}
