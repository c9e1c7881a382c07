import type { Bytes } from './units'

/** Less than this is joined to its neighbours: to give a socket one more piece costs more than the copy. */
const MIN_PIECE_BYTES: Bytes = 1024
const MAX_PIECES = 64
/** What a piece may keep alive, for each byte of it. */
const MAX_KEPT = 1.25

/**
 * Bytes that go to a socket one piece after another. To join them would copy them all into memory outside of the heap,
 * and that soon makes V8 collect, which costs more than everything else in a write. Until the socket has taken it, nobody
 * may transfer the memory of a piece.
 */
export class Pieces {
  constructor(readonly list: readonly [first: Buffer, ...rest: Uint8Array[]]) {}

  get length(): Bytes {
    let total = 0
    for (const piece of this.list) total += piece.byteLength
    return total
  }
}

/**
 * `first` and what follows it: in one buffer if it is little, else in pieces, of which only the small ones are copied, and
 * those that would keep much more memory than their own.
 */
export function gather(first: Buffer, chunks: readonly Uint8Array[]): Buffer | Pieces {
  const total = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0)
  const least = Math.max(MIN_PIECE_BYTES, total / MAX_PIECES)
  const pieces: Uint8Array[] = []
  let small: Uint8Array[] = [first]
  const join = (): void => {
    if (small.length > 0) pieces.push(small[0] === first && small.length === 1 ? first : Buffer.concat(small))
    small = []
  }
  for (const chunk of chunks) {
    if (chunk.byteLength < least || chunk.buffer.byteLength > MAX_KEPT * chunk.byteLength) {
      small.push(chunk)
    } else {
      join()
      pieces.push(chunk)
    }
  }
  join()
  const [head, ...rest] = pieces as [Buffer, ...Uint8Array[]]
  return rest.length === 0 ? head : new Pieces([head, ...rest])
}

export function joined(bytes: Buffer | Pieces): Buffer {
  return bytes instanceof Pieces ? Buffer.concat(bytes.list) : bytes
}

/** The beginning, at least what `gather` was given as first. */
export function startOf(bytes: Buffer | Pieces): Buffer {
  return bytes instanceof Pieces ? bytes.list[0] : bytes
}
