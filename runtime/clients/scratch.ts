import { joined, type Pieces } from '../../src/pieces'
import type { Bytes } from '../../src/units'

const SCRATCH_BYTES: Bytes = 256 * 1024
/** Joined at a time; what comes meanwhile gets memory of its own. */
const MAX_SCRATCHES = 4

/**
 * Joins pieces in memory that is used again: out of new memory for each write V8 makes a full collection for every
 * hundred. One for each connection, with which it is forgotten.
 */
export class Scratch {
  private readonly free: Buffer[] = []
  private made = 0

  /** @param used gets what is to be given back */
  join(pieces: Pieces, used: Buffer[]): Buffer {
    const scratch = pieces.length > SCRATCH_BYTES ? undefined : (this.free.pop() ?? this.make())
    if (scratch === undefined) return joined(pieces)
    let at = 0
    for (const piece of pieces.list) {
      scratch.set(piece, at)
      at += piece.byteLength
    }
    used.push(scratch)
    return scratch.subarray(0, at)
  }

  /** Redis answered: until then the socket may have needed it. */
  giveBack(used: readonly Buffer[]): void {
    this.free.push(...used)
  }

  private make(): Buffer | undefined {
    return this.made++ < MAX_SCRATCHES ? Buffer.allocUnsafeSlow(SCRATCH_BYTES) : undefined
  }
}
