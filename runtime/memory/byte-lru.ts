import type { Bytes } from '../../src/units'

interface Node<V> {
  readonly key: string
  value: V
  bytes: Bytes
  newer: Node<V> | undefined
  older: Node<V> | undefined
}

/** Bookkeeping of one entry beyond its content: Map slot, key and node objects; measured, rounded up. */
export const OVERHEAD_BYTES: Bytes = 256

/**
 * Least recently used, bounded in bytes rather than in entries: pages differ in size by three orders of
 * magnitude. The order is a list beside the Map: moving a key within the Map would have it rebuilt again and again.
 */
export class ByteLru<V> {
  private readonly nodes = new Map<string, Node<V>>()
  private newest: Node<V> | undefined
  private oldest: Node<V> | undefined
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
    if (node !== this.newest) {
      this.unlink(node)
      this.link(node)
    }
    return node.value
  }

  /** Takes the value in place of an older one of the key; false when it is too large to be held. */
  set(key: string, value: V, valueBytes: Bytes): boolean {
    this.delete(key)
    const bytes = bytesWith(key, valueBytes)
    if (!this.fits(bytes, valueBytes)) return false
    const node: Node<V> = { key, value, bytes, newer: undefined, older: undefined }
    this.nodes.set(key, node)
    this.usedBytes += bytes
    this.link(node)
    this.evict()
    return true
  }

  /** The value of the key has become this large; false, and all as it was, when it is too large to be held. */
  resize(key: string, valueBytes: Bytes): boolean {
    const bytes = bytesWith(key, valueBytes)
    if (this.get(key) === undefined || !this.fits(bytes, valueBytes)) return false
    const node = this.nodes.get(key) as Node<V>
    this.usedBytes += bytes - node.bytes
    node.bytes = bytes
    this.evict()
    return true
  }

  delete(key: string): boolean {
    const node = this.nodes.get(key)
    if (node === undefined) return false
    this.nodes.delete(key)
    this.unlink(node)
    this.usedBytes -= node.bytes
    return true
  }

  private fits(bytes: Bytes, valueBytes: Bytes): boolean {
    return valueBytes <= this.maxEntryBytes && bytes <= this.maxBytes
  }

  private evict(): void {
    while (this.usedBytes > this.maxBytes && this.oldest !== undefined) this.delete(this.oldest.key)
  }

  private link(node: Node<V>): void {
    node.older = this.newest
    if (this.newest === undefined) this.oldest = node
    else this.newest.newer = node
    this.newest = node
  }

  private unlink(node: Node<V>): void {
    const { newer, older } = node
    if (newer === undefined) this.newest = older
    else newer.older = older
    if (older === undefined) this.oldest = newer
    else older.newer = newer
    node.newer = node.older = undefined
  }
}

function bytesWith(key: string, valueBytes: Bytes): Bytes {
  return valueBytes + key.length * 2 + OVERHEAD_BYTES
}
