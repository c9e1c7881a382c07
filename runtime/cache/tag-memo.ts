/**
 * The tags that each key carried when it was last read or written: asking for their state together with the
 * entry keeps a repeated read at one round trip. A wrong memo costs a second one, nothing else.
 */
export class TagMemo {
  private readonly tags = new Map<string, readonly string[]>()
  /** Of those, the keys under which the last read found nothing. */
  private readonly missing = new Set<string>()

  constructor(private readonly maxKeys = 10_000) {}

  get(key: string): readonly string[] {
    return this.tags.get(key) ?? []
  }

  set(key: string, tags: readonly string[]): void {
    this.forget(key)
    this.tags.set(key, tags)
    if (this.tags.size > this.maxKeys) this.forget(this.tags.keys().next().value as string)
  }

  /** There is no entry now; the next one will have the same tags, probably. */
  missed(key: string): void {
    if (this.tags.has(key)) this.missing.add(key)
  }

  /** Whether there was an entry when this process last heard of it. */
  expects(key: string): boolean {
    return this.tags.has(key) && !this.missing.has(key)
  }

  private forget(key: string): void {
    this.tags.delete(key)
    this.missing.delete(key)
  }
}
