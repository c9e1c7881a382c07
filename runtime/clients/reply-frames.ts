/** A string that is smaller travels with its neighbours. */
const LEAST_FRAME_BYTES = 4 * 1024
/** Nobody who says that a string is larger is believed: it is passed on as it comes. */
const MAX_FRAME_BYTES = 4 * 1024 * 1024
const CR = 0x0d
const LF = 0x0a
const MINUS = 0x2d
const ZERO = 0x30
/** `$`, and `!` and `=` of RESP3: a length, then so many bytes and a line end. Of everything else a line is all. */
const LENGTH_TYPES: readonly number[] = [0x24, 0x21, 0x3d]

/** Cuts what Redis says into chunks. Knows of the protocol only where a string begins and how long it is. */
export class ReplyFrames {
  /** A string that has not ended, as a chunk of its own. */
  private frame: Buffer | undefined
  private filled = 0
  /** What is to come of a string that is passed on as it comes. */
  private passing = 0
  /** Within a line: whether it tells a length, and which, as far as it came; negative: there is no string. */
  private inLine = false
  private isLength = false
  private length = 0

  /** @param bytes are used again once this returns; `emit` gets chunks that are its own */
  add(bytes: Buffer, emit: (chunk: Buffer) => void): void {
    /** What was not handed on yet begins here. */
    let from = 0
    let at = 0
    while (at < bytes.length) {
      if (this.frame !== undefined) {
        at += this.fill(this.frame, bytes, at, emit)
        from = at
      } else if (this.passing > 0) {
        const count = Math.min(this.passing, bytes.length - at)
        this.passing -= count
        at += count
      } else {
        const lineAt = this.inLine ? -1 : at
        at = this.line(bytes, at)
        if (this.inLine || !this.isLength || this.length < 0) continue
        const rest = this.length + 2
        if (rest < LEAST_FRAME_BYTES || rest > MAX_FRAME_BYTES) {
          this.passing = rest
          continue
        }
        // What tells its length belongs to it, unless it began in an earlier read.
        const begins = lineAt < 0 ? at : lineAt
        if (begins > from) emit(Buffer.from(bytes.subarray(from, begins)))
        from = begins
        this.frame = Buffer.allocUnsafeSlow(at - begins + rest)
        this.filled = 0
        at = begins
      }
    }
    if (from < bytes.length) emit(Buffer.from(bytes.subarray(from)))
  }

  private fill(frame: Buffer, bytes: Buffer, at: number, emit: (chunk: Buffer) => void): number {
    const count = bytes.copy(frame, this.filled, at)
    this.filled += count
    if (this.filled === frame.length) {
      this.frame = undefined
      emit(frame)
    }
    return count
  }

  /** @returns where it goes on */
  private line(bytes: Buffer, from: number): number {
    let at = from
    if (!this.inLine) {
      this.inLine = true
      this.isLength = LENGTH_TYPES.includes(bytes[at++] as number)
      this.length = 0
    }
    if (!this.isLength) {
      const end = bytes.indexOf(LF, at)
      if (end === -1) return bytes.length
      this.inLine = false
      return end + 1
    }
    for (; at < bytes.length; at++) {
      const byte = bytes[at] as number
      if (byte === LF) {
        this.inLine = false
        return at + 1
      }
      if (byte === MINUS) this.length = -Infinity
      else if (byte !== CR) this.length = this.length * 10 + byte - ZERO
    }
    return at
  }
}
