import type { Bytes } from './units'

/** Smaller chunks are joined to their neighbours: to give a socket one more costs about as much as to copy this. */
const MIN_PIECE_BYTES: Bytes = 16 * 1024

/** Bytes that go to a socket one piece after another. To join them would copy them all, into memory that is soon garbage. */
export class Pieces {
  readonly length: Bytes

  constructor(readonly list: readonly [first: Buffer, ...rest: Uint8Array[]]) {
    this.length = list.reduce((total, piece) => total + piece.byteLength, 0)
  }
}

/** The chunks as one buffer, or in pieces of which only the small ones are copied. What is first is a copy, or itself. */
export function gather(first: Buffer, chunks: readonly Uint8Array[]): Buffer | Pieces {
  const pieces: Uint8Array[] = []
  let small: Uint8Array[] = [first]
  const join = (): void => {
    if (small.length > 0) pieces.push(small.length === 1 ? (small[0] as Uint8Array) : Buffer.concat(small))
    small = []
  }
  for (const chunk of chunks) {
    if (chunk.byteLength < MIN_PIECE_BYTES) {
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
  return bytes instanceof Pieces ? Buffer.concat(bytes.list, bytes.length) : bytes
}

/** Where they begin: `gather` gave it as first. */
export function startOf(bytes: Buffer | Pieces): Buffer {
  return bytes instanceof Pieces ? bytes.list[0] : bytes
}
