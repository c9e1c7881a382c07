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

  /** Not to be given back before Redis answered, which the socket may need it for. */
  join(pieces: Pieces): { bytes: Buffer; giveBack?: () => void } {
    const scratch = pieces.length > SCRATCH_BYTES ? undefined : (this.free.pop() ?? this.make())
    if (scratch === undefined) return { bytes: joined(pieces) }
    let at = 0
    for (const piece of pieces.list) {
      scratch.set(piece, at)
      at += piece.byteLength
    }
    return { bytes: scratch.subarray(0, at), giveBack: () => void this.free.push(scratch) }
  }

  private make(): Buffer | undefined {
    return this.made++ < MAX_SCRATCHES ? Buffer.allocUnsafeSlow(SCRATCH_BYTES) : undefined
  }
}
