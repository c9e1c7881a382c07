// One command at a time to the real Redis, past every proxy.
import { once } from 'node:events'
import { connect } from 'node:net'
import { createFrameSplitter } from './resp-frames.mjs'

/** Resolves with bulk strings as text, everything else as it stands on the wire. */
export const redisCommand =
  (port) =>
  async (...args) => {
    const socket = connect(port, '127.0.0.1')
    const split = createFrameSplitter()
    try {
      socket.write(
        `*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join('')}`,
      )
      for (;;) {
        const [chunk] = await once(socket, 'data')
        const [frame] = split(chunk)
        if (frame === undefined) continue
        const text = frame.toString('utf8')
        if (text.startsWith('-')) throw new Error(text.trim())
        if (text.startsWith('$-1') || text.startsWith('_')) return null
        return text.startsWith('$') ? text.slice(text.indexOf('\r\n') + 2, -2) : text.slice(1, -2)
      }
    } finally {
      socket.destroy()
    }
  }
