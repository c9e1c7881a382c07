/**
 * The tags that each key carried when it was last read or written: asking for their state together with the
 * entry keeps a repeated read at one round trip. A wrong memo costs a second one, nothing else.
 */
export class TagMemo {
  private readonly tags = new Map<string, readonly string[]>()

  constructor(private readonly maxKeys = 10_000) {}

  get(key: string): readonly string[] {
    return this.tags.get(key) ?? []
  }

  set(key: string, tags: readonly string[]): void {
    this.tags.delete(key)
    if (tags.length === 0) return
    this.tags.set(key, tags)
    if (this.tags.size > this.maxKeys) this.tags.delete(this.tags.keys().next().value as string)
  }
}
