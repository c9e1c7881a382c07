import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { dialFramed } from '../../runtime/clients/framed-reads'
import { ReplyFrames } from '../../runtime/clients/reply-frames'

const LARGE = 50 * 1024

/** Feeds what Redis says in pieces, each out of the same memory, as a socket is read. */
function cut(said: Buffer, pieceBytes: () => number): Buffer[] {
  const frames = new ReplyFrames()
  const chunks: Buffer[] = []
  const memory = Buffer.alloc(64 * 1024)
  for (let at = 0; at < said.length;) {
    const count = said.copy(memory, 0, at, Math.min(said.length, at + pieceBytes()))
    frames.add(memory.subarray(0, count), (chunk) => void chunks.push(chunk))
    memory.fill('?')
    at += count
  }
  return chunks
}

const bulk = (bytes: Buffer | string): Buffer =>
  Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), Buffer.from(bytes), Buffer.from('\r\n')])

/** Content that looks like replies. */
const body = (seed: number): Buffer => Buffer.alloc(LARGE, `\r\n$${seed}\r\n*3\r\n-ERR\r\n:1\r\n`)

const SAID = Buffer.concat([
  Buffer.from('+OK\r\n:-12\r\n-ERR $5000\r\n$-1\r\n*-1\r\n$0\r\n\r\n'),
  bulk(body(1)),
  bulk(body(2)),
  bulk('small'),
  Buffer.from('*3\r\n'),
  bulk('in a list'),
  bulk(body(3)),
  Buffer.from('*2\r\n$-1\r\n:7\r\n'),
  bulk(body(4)),
  Buffer.from('_\r\n#t\r\n%1\r\n'),
  bulk('key'),
  bulk(body(5)),
  Buffer.from('+END\r\n'),
])

describe('what Redis says', () => {
  it.each([1, 2, 3, 7, 4096, LARGE, 64 * 1024])(
    'is handed on byte for byte, in pieces of %i bytes',
    (size) => {
      expect(Buffer.concat(cut(SAID, () => size)).equals(SAID)).toBe(true)
    },
  )

  it('is handed on byte for byte, in pieces of any size', () => {
    let state = 1
    const next = (): number => 1 + ((state = (state * 1_103_515_245 + 12_345) % 2 ** 31) % 30_000)
    for (let round = 0; round < 200; round++) expect(Buffer.concat(cut(SAID, next)).equals(SAID)).toBe(true)
  })

  it('has each large string in a chunk of its own, of no more memory than that takes', () => {
    const large = cut(SAID, () => 64 * 1024).filter(({ length }) => length > LARGE)
    expect(large.map((chunk) => chunk.buffer.byteLength - LARGE)).toEqual([10, 10, 10, 10, 10])
    for (const [index, chunk] of large.entries())
      expect(chunk.subarray(8, -2).equals(body(index + 1))).toBe(true)
  })

  it('is not held back before it is complete, unless it is a string whose end is near', () => {
    const held = (said: string): string => Buffer.concat(cut(Buffer.from(said), () => 3)).toString()
    expect(held('$5\r\nhel')).toBe('$5\r\nhel')
    expect(held('$99999999999\r\nabc')).toBe('$99999999999\r\nabc')
    expect(held(`$${'9'.repeat(400)}\r\nabc`)).toBe(`$${'9'.repeat(400)}\r\nabc`)
    expect(held('HTTP/1.1 400 Bad Request\r\n\r\n')).toBe('HTTP/1.1 400 Bad Request\r\n\r\n')
    // Its length began in an earlier read.
    expect(held('+OK\r\n$5000\r\nabc')).toBe('+OK\r\n$5000\r\n')
  })
})

it('a driver that throws at what Redis says loses the connection, not the process', async () => {
  const server = createServer((socket) => socket.on('error', () => {}).write('+OK\r\n')).listen(
    0,
    '127.0.0.1',
  )
  await once(server, 'listening')
  const socket = dialFramed({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' })
  const failure = new RangeError('too deep')
  socket.on('data', () => {
    throw failure
  })
  expect(await once(socket, 'error')).toEqual([failure])
  expect(socket.destroyed).toBe(true)
  server.close()
})
