import type { Bytes } from '../../src/units'

interface Node<V> {
  readonly value: V
  readonly bytes: Bytes
}

/** Bookkeeping of one entry beyond its content: Map slot, key and node objects; measured, rounded up. */
export const OVERHEAD_BYTES: Bytes = 256

/**
 * Least recently used, bounded in bytes rather than in entries: pages differ in size by three orders of
 * magnitude. A Map keeps insertion order, so the oldest key is always its first.
 */
export class ByteLru<V> {
  private readonly nodes = new Map<string, Node<V>>()
  private usedBytes: Bytes = 0

  constructor(
    readonly maxBytes: Bytes,
    /** A larger entry is not taken. */
    readonly maxEntryBytes: Bytes = maxBytes,
  ) {}

  get bytes(): Bytes {
    return this.usedBytes
  }

  get size(): number {
    return this.nodes.size
  }

  get(key: string): V | undefined {
    const node = this.nodes.get(key)
    if (node === undefined) return undefined
    this.nodes.delete(key)
    this.nodes.set(key, node)
    return node.value
  }

  /** Takes the value in place of an older one of the key; false when it is too large to be held. */
  set(key: string, value: V, valueBytes: Bytes): boolean {
    this.delete(key)
    const bytes = valueBytes + key.length * 2 + OVERHEAD_BYTES
    if (valueBytes > this.maxEntryBytes || bytes > this.maxBytes) return false
    this.nodes.set(key, { value, bytes })
    this.usedBytes += bytes
    for (const [oldest, node] of this.nodes) {
      if (this.usedBytes <= this.maxBytes) break
      this.nodes.delete(oldest)
      this.usedBytes -= node.bytes
    }
    return true
  }

  delete(key: string): boolean {
    const node = this.nodes.get(key)
    if (node === undefined) return false
    this.nodes.delete(key)
    this.usedBytes -= node.bytes
    return true
  }
}
