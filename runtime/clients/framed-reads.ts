import { connect, type NetConnectOpts, type OnReadOpts, type Socket } from 'node:net'
import { ReplyFrames } from './reply-frames'

/** What one look at the socket may read. */
const READ_BYTES = 64 * 1024

/**
 * Reads a socket into one buffer that is used again and again, and hands on to the driver what came, as `data`: a large
 * string alone, in memory of its own size. The driver would put it together out of pieces as large as the kernel gave
 * them, and of both, which are memory outside of the heap, every body of 50 KB costs the collector of garbage.
 */
export function framedReads(): OnReadOpts {
  const frames = new ReplyFrames()
  return {
    buffer: Buffer.allocUnsafeSlow(READ_BYTES),
    // Called as a method of the socket.
    callback(this: Socket, byteCount: number, bytes: Uint8Array): boolean {
      frames.add((bytes as Buffer).subarray(0, byteCount), (chunk) => {
        // What a driver refuses makes it drop the connection; what it fails at would end the process.
        if (this.destroyed) return
        try {
          this.emit('data', chunk)
        } catch (error) {
          this.destroy(error as Error)
        }
      })
      return true
    },
  } as OnReadOpts
}

export function dialFramed(to: object): Socket {
  return connect({ ...to, onread: framedReads() } as NetConnectOpts)
}
