import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createKeyNames, leaseName } from '../../src/key-names'
import type { Driver, Preset } from '../../src/options'
import { createIoredis } from '../support/clients'
import { ACL_USER, aclRules, asUser, deniedTo } from '../support/acl'
import { type RedisServer, startRedis } from '../support/redis-server'
import { contentOf, createFleet, DRIVERS, nextEvent, type Replica, useCacheEntry } from '../support/replicas'

const RULES = aclRules('ndc:test:*', 'ndc:test:bus')

let redis: RedisServer
const fleet = createFleet()

beforeAll(async () => void (redis = await startRedis({ acl: false })))
afterAll(() => redis.stop())
beforeEach(async () => {
  await fleet.stop()
  await redis.command('FLUSHALL')
  await redis.command('SCRIPT', 'FLUSH')
  await redis.command('ACL', 'DELUSER', ACL_USER)
  await redis.command('ACL', 'LOG', 'RESET')
})

const allow = (rules: readonly string[]) => redis.command('ACL', 'SETUSER', ACL_USER, ...rules)

/** Everything that the runtime ever asks of Redis. */
async function exercise(driver: Driver, preset: Preset, expectAnswers: boolean): Promise<void> {
  const options = { preset, singleFlight: { leaseMs: 300, waitMs: 600 } } as const
  const start = (more: Partial<Parameters<typeof fleet.start>[0]> = {}) =>
    fleet.start({ url: asUser(redis.url), driver, options, ...more })
  const on = (replica: Replica) => replica.useCacheHandlers.default
  const read = async (replica: Replica, key: string) => contentOf(await on(replica).get(key, ['soft']))
  const write = (replica: Replica, key: string, more = {}) =>
    on(replica).set(key, Promise.resolve(useCacheEntry(key, { tags: ['t'], ...more })))
  const a = start()
  const b = start({ url: `${asUser(redis.url)}/1` })
  const c = start()
  // A lease that is won, awaited by another replica, and ended by a write.
  expect(await read(a, 'k')).toBeUndefined()
  const follower = read(c, 'k')
  await write(a, 'k')
  await follower
  if (expectAnswers) expect(await read(c, 'k')).toBe('k')
  await read(a, 'k')
  // One of somebody who died.
  const orphan = leaseName(createKeyNames('ndc:test', 'build-1').entry('use-cache', 'orphan'))
  await redis.command('SET', orphan, 'somebody:dead', 'PX', 300)
  await read(c, 'orphan')
  // One that ends without an entry.
  await read(a, 'nothing')
  await write(a, 'nothing', { expire: 0 })
  await read(b, 'k')
  await write(b, 'k')
  await redis.command('SCRIPT', 'FLUSH')
  // Both kinds of invalidation, and windows that meet.
  await on(a).updateTags(['t'], { expire: 60 })
  await on(a).updateTags(['t'], { expire: 90 })
  await on(c).updateTags(['t'])
  if (expectAnswers) expect(await read(c, 'k')).toBeUndefined()
  const page = { kind: 'APP_ROUTE', body: Buffer.from('x'), headers: {}, status: 200 } as const
  const handler = new a.CacheHandler({})
  await handler.get('/page', { kind: 'APP_ROUTE' })
  await handler.set('/page', page, { cacheControl: { revalidate: 60 } })
  // An invalidation that a replica of Redis shall confirm; there is none.
  const confirming = start({
    options: {
      ...options,
      invalidations: { onFailure: 'journal', replicas: 1 },
      timeouts: { connectMs: 2000, commandMs: 300, requestBudgetMs: 4000 },
    },
  })
  // A record that is older than any entry: forgotten by whoever comes by.
  await redis.command('HSET', 'ndc:test:tags', ':old', '1')
  await redis.resetCommandStats()
  // Until its connection for WAIT is there; a user who may do too little never gets that far.
  for (let attempt = 0; attempt < 20; attempt++) {
    await on(confirming).updateTags(['t'])
    if ((await redis.commandStats())['wait'] !== undefined) break
  }
  // Tag state that is to be made anew.
  await redis.command('DEL', 'ndc:test:tags')
  await redis.command('RPUSH', 'ndc:test:tags', 'x')
  await read(a, 'k')
  await on(a).updateTags(['t'])
  await fleet.stop()
}

const cells = (Object.keys(DRIVERS) as Driver[]).flatMap((driver) =>
  (['strict', 'l1-pubsub'] as Preset[]).map((preset) => [driver, preset] as const),
)

describe('the user of docs/security.md', () => {
  it.each(cells)('may do all that the runtime does, over %s, %s', async (driver, preset) => {
    await allow(RULES)
    await exercise(driver, preset, true)
    expect(await deniedTo(redis.command)).toEqual([])
  })

  it('hears the bus', async () => {
    await allow(RULES)
    const options = { preset: 'l1-pubsub' } as const
    const gap = nextEvent('gap', ({ reason }) => reason === 'subscribed')
    const a = fleet.start({ url: asUser(redis.url), driver: 'ioredis', options })
    await gap
    expect(await a.useCacheHandlers.default.get('k', [])).toBeUndefined()
    expect(await deniedTo(redis.command)).toEqual([])
  })

  const commands = RULES.filter((rule) => rule.startsWith('+'))
  it.each(commands)('needs %s', async (command) => {
    await allow(RULES.filter((rule) => rule !== command))
    await exercise('ioredis', 'l1-pubsub', false)
    const denied = await deniedTo(redis.command)
    // Redis 6.2 logs no subcommands.
    expect(denied.join()).toContain(command.slice(1).split('|')[0])
  })

  it('may touch nothing else', async () => {
    await allow(RULES)
    const client = createIoredis({
      url: asUser(redis.url),
      connectMs: 10_000,
      commandMs: 10_000,
      clientName: 'curious',
    })
    await client.waitUntilReady(10_000)
    const forbidden: [string, ...string[]][] = [
      ['GET', 'ndc:other:tags'],
      ['GET', 'other'],
      ['EVAL', `return redis.call('GET', KEYS[1])`, '1', 'ndc:tes'],
      ['PUBLISH', 'ndc:other:bus', 'x'],
      ['PUBLISH', 'ndc:test:bus2', 'x'],
      ['KEYS', 'ndc:test:*'],
      ['SCAN', '0'],
      ['HGETALL', 'ndc:test:tags'],
      ['HSCAN', 'ndc:test:tags', '0'],
      ['CONFIG', 'GET', 'maxmemory'],
      ['FLUSHDB'],
      ['FLUSHALL'],
      ['SCRIPT', 'FLUSH'],
      ['CLIENT', 'LIST'],
      ['CLIENT', 'KILL', 'ID', '1'],
      ['ACL', 'WHOAMI'],
      ['MONITOR'],
      ['SUBSCRIBE', '__keyspace@0__:*'],
      ['PSUBSCRIBE', '*'],
    ]
    for (const args of forbidden) {
      const [reply] = await client.send([{ key: undefined, args }])
      expect(String(reply), args.join(' ')).toMatch(/NOPERM|permission|can't access|can't run/i)
    }
    await client.close()
  })
})
