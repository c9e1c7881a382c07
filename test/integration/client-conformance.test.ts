import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createClient as createWithIoredis } from '../../runtime/clients/ioredis'
import { createClient as createWithNodeRedis } from '../../runtime/clients/node-redis'
import { startRedis, type RedisServer } from '../support/redis-server'

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.stop())

describe.each([
  ['ioredis', createWithIoredis],
  ['node-redis', createWithNodeRedis],
])('%s', (_name, createClient) => {
  it('sends and receives', async () => {
    const client = createClient({ url: server.url, connectMs: 2000, commandMs: 2000, clientName: 'test' })
    await client.waitUntilReady(2000)
    const big = Buffer.alloc(2 * 1024 * 1024, 7)
    const replies = await client.send([
      { key: 'k', args: ['SET', 'k', big] },
      { key: 'k', args: ['GET', 'k'] },
      { key: 'k', args: ['get', 'missing'] },
      { key: 'k', args: ['INCR', 'k'] },
    ])
    expect(replies[0]).toEqual(Buffer.from('OK'))
    expect(big.equals(replies[1] as Buffer)).toBe(true)
    expect(replies[2]).toBe(null)
    expect(replies[3]).toBeInstanceOf(Error)
    await client.close()
  })
})
