import type { PackedValue } from '../../src/entry'
import { fromJsonNumber, toJsonNumber } from '../../src/json-number'
import type { UseCacheEntry } from './next-types'

/** An entry of `use cache`, packed: what the client's router cache is told, and the drained stream as the body. */
export function packUseCache(
  { stale }: Pick<UseCacheEntry, 'stale'>,
  chunks: readonly Uint8Array[],
): PackedValue {
  return { detail: toJsonNumber(stale), chunks }
}

/** @throws when the detail is none of ours */
export function unpackUseCache(detail: unknown): Pick<UseCacheEntry, 'stale'> {
  return { stale: fromJsonNumber(detail) }
}

/** A new stream over bytes that stay ours: not a byte stream, whose readers could take the buffer away. */
export function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream(new SourceOf(bytes))
}

/** A class, since a closure per stream costs more. */
class SourceOf implements UnderlyingDefaultSource<Uint8Array> {
  constructor(private readonly bytes: Uint8Array) {}

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    if (this.bytes.byteLength > 0) controller.enqueue(this.bytes)
    controller.close()
  }
}

/**
 * Drains a stream once, into memory of our own: of a chunk with an array React gives the page a view, which may change it,
 * or give its memory away. Undefined when it holds more than `maxBytes`: the rest is then cancelled.
 *
 * @throws what the stream errors with
 */
export async function drain(
  stream: ReadableStream<Uint8Array>,
  maxBytes: number,
): Promise<Buffer | undefined> {
  const reader = stream.getReader()
  const chunks: Uint8Array[] = []
  let total = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return Buffer.concat(chunks)
    total += value.byteLength
    if (total > maxBytes) {
      // Not awaited: the source decides when it is done cancelling.
      reader.cancel().catch(() => {})
      return undefined
    }
    chunks.push(value)
  }
}
