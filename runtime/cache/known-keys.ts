/**
 * The keys under which there was a record when this process last heard of them. Forgetting one costs its next read a
 * script, nothing else.
 */
export class KnownKeys {
  /** Those that were found lately, and before that: whatever is still read comes back from there. */
  private recent = new Set<string>()
  private older = new Set<string>()

  constructor(private readonly maxKeys = 20_000) {}

  has(key: string): boolean {
    return this.recent.has(key) || this.older.has(key)
  }

  add(key: string): void {
    if (this.recent.has(key)) return
    this.recent.add(key)
    if (this.recent.size * 2 <= this.maxKeys) return
    this.older = this.recent
    this.recent = new Set()
  }

  delete(key: string): void {
    this.recent.delete(key)
    this.older.delete(key)
  }
}
