import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createConfirmation } from '../../runtime/store/confirmation'
import type { Driver, ResolvedOptions } from '../../src/options'
import { type RedisServer, startRedis } from '../support/redis-server'
import { contentOf, createFleet, DRIVERS, nextEvent, record, useCacheEntry } from '../support/replicas'

// Invalidations that replicas of Redis shall confirm. A replica that is frozen confirms nothing, however long one waits.

const soon = { timeout: 20_000, interval: 20 }
const fleet = createFleet()
let primary: RedisServer
let replica: RedisServer

beforeAll(async () => {
  primary = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] })
  replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(primary.port)] })
  const isOnline = async () =>
    expect(String(await primary.command('INFO', 'replication'))).toContain('state=online')
  await vi.waitFor(isOnline, soon)
})
afterAll(async () => {
  await replica.stop()
  await primary.stop()
})
afterEach(async () => {
  replica.unfreeze()
  await fleet.stop()
})

describe.each(Object.keys(DRIVERS) as Driver[])('replicas: 1, over %s', (driver) => {
  const start = (commandMs: number, invalidations: ResolvedOptions['invalidations']) =>
    fleet.start({
      url: primary.url,
      driver,
      options: { invalidations, timeouts: { connectMs: 5_000, commandMs, requestBudgetMs: 20_000 } },
    })

  it('an acknowledged invalidation is on the replica; no read waits for it', async () => {
    const process = start(20_000, { onFailure: 'journal', replicas: 1 })
    const handler = process.useCacheHandlers.default
    await handler.get('k', [])
    await handler.set('k', Promise.resolve(useCacheEntry('content', { tags: ['other'] })))
    await handler.updateTags(['t'])
    expect(await replica.command('HEXISTS', 'ndc:test:tags', ':t')).toBe(1)

    replica.freeze()
    let acknowledged = false
    const unconfirmed = await record('unconfirmed', async () => {
      const applied = nextEvent('invalidated')
      const invalidation = handler.updateTags(['t']).then(() => (acknowledged = true))
      await applied
      for (let i = 0; i < 20; i++) expect(await contentOf(await handler.get('k', []))).toBe('content')
      expect(acknowledged).toBe(false)
      replica.unfreeze()
      await invalidation
    })
    expect(unconfirmed).toEqual([])
  })

  it('a replica that does not confirm: said, and rejected where that was asked for', async () => {
    const journalling = start(300, { onFailure: 'journal', replicas: 1 })
    const rejecting = start(300, { onFailure: 'reject', replicas: 1 })
    await journalling.useCacheHandlers.default.updateTags(['warm'])
    await rejecting.useCacheHandlers.default.updateTags(['warm'])
    replica.freeze()
    const [said] = await record('unconfirmed', () => journalling.useCacheHandlers.default.updateTags(['t']))
    expect(said).toEqual({ confirmed: 0, wanted: 1 })
    const { default: handler } = rejecting.useCacheHandlers
    await expect(handler.updateTags(['t'])).rejects.toMatchObject({
      code: 'INVALIDATION',
      message: expect.stringContaining('0 of 1 replicas'),
    })
    await handler.updateTags(['t'], { expire: 60 })
  })

  it('those who ask while one is waited for share the next one', async () => {
    const client = DRIVERS[driver]({
      url: primary.url,
      connectMs: 5_000,
      commandMs: 20_000,
      clientName: 'test',
    })
    const confirm = createConfirmation({
      client,
      key: 'ndc:test:state',
      ttlMs: 60_000,
      replicas: 1,
      waitMs: 20_000,
    })
    await primary.command('HSET', 'ndc:test:state', 'clock', '1')
    expect(await confirm()).toBe(1)
    await primary.resetCommandStats()
    replica.freeze()
    const first = confirm()
    // It is under way as soon as the server counts the command before it.
    await expect.poll(async () => (await primary.commandStats())['pexpire'], soon).toBe(1)
    const others = Array.from({ length: 100 }, () => confirm())
    replica.unfreeze()
    expect(new Set(await Promise.all([first, ...others]))).toEqual(new Set([1]))
    expect((await primary.commandStats())['wait']).toBe(2)
    await client.close()
  })
})
