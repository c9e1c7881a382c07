const NO_TAGS: readonly string[] = []

type Tags = Map<string, readonly string[]>

/**
 * The tags that each key carried when it was last read or written: asking for their state together with the
 * entry keeps a repeated read at one round trip. A wrong memo costs a second one, nothing else.
 */
export class TagMemo {
  /** What was used lately, and before that: whatever is still in use comes back from there. */
  private recent: Tags = new Map()
  private older: Tags = new Map()

  private recentTags = 0

  constructor(
    private readonly maxKeys = 10_000,
    private readonly maxTags = 500_000,
  ) {}

  get(key: string): readonly string[] {
    return this.recent.get(key) ?? this.older.get(key) ?? NO_TAGS
  }

  /** @returns the tags; as they are remembered, where they are the same, so that each read need not keep its own */
  set(key: string, tags: readonly string[]): readonly string[] {
    const known = this.recent.get(key) ?? this.older.get(key)
    const remembered = known !== undefined && isSame(known, tags) ? known : tags
    if (tags.length === 0) {
      this.recent.delete(key)
      this.older.delete(key)
    } else if (this.recent.get(key) !== remembered) {
      this.recent.set(key, remembered)
      this.recentTags += remembered.length
      if (this.recent.size * 2 > this.maxKeys || this.recentTags * 2 > this.maxTags) {
        this.older = this.recent
        this.recent = new Map()
        this.recentTags = 0
      }
    }
    return remembered
  }
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((tag, index) => tag === b[index]))
}
