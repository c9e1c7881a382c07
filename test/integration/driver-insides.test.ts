import { Redis } from 'ioredis'
import { afterEach, expect, test, vi } from 'vitest'
import { createClient } from '../../runtime/clients/ioredis'
import { startRedis } from '../support/redis-server'

afterEach(() => vi.restoreAllMocks())

test('a release of ioredis that keeps its queue elsewhere connects and answers', async () => {
  const server = await startRedis({ acl: false })
  const emit = Redis.prototype.emit
  vi.spyOn(Redis.prototype, 'emit').mockImplementation(function (this: Redis, ...args) {
    if (args[0] !== 'connect') return emit.apply(this, args)
    const holder = this as unknown as { commandQueue: unknown }
    const queue = holder.commandQueue
    holder.commandQueue = undefined
    try {
      return emit.apply(this, args)
    } finally {
      holder.commandQueue = queue
    }
  })
  const client = createClient({ url: server.url, connectMs: 2000, commandMs: 2000, clientName: 'insides' })
  try {
    await client.waitUntilReady(2000)
    expect(await client.send([{ key: undefined, args: ['ECHO', 'hi'] }])).toEqual([Buffer.from('hi')])
  } finally {
    await client.close()
    await server.stop()
  }
})
