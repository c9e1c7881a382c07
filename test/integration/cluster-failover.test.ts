import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createKeyNames } from '../../src/key-names'
import { CHANNEL_PREFIX } from '../../runtime/telemetry'
import { startFailoverLoad } from '../support/failover-load'
import { type RedisCluster, startCluster, until } from '../support/redis-cluster'
import { createFleet, TEST_OPTIONS } from '../support/replicas'

const names = createKeyNames(TEST_OPTIONS.keyPrefix, 'build-1')
const keys = Array.from({ length: 12 }, (_, index) => `failing-${index}`)
const minute = 60_000

let cluster: RedisCluster
const fleet = createFleet()
/** Tags of which the handler's telemetry said that they were invalidated. */
const invalidated = new Set<string>()
const note = (message: unknown): void => {
  for (const tag of (message as { tags: string[] }).tags) invalidated.add(tag)
}

beforeAll(async () => {
  subscribe(`${CHANNEL_PREFIX}invalidated`, note)
  cluster = await startCluster({ replicas: 1, nodeTimeoutMs: 2_000, acl: process.env['NDC_ACL'] === '1' })
}, 2 * minute)
afterEach(() => fleet.stop())
afterAll(async () => {
  unsubscribe(`${CHANNEL_PREFIX}invalidated`, note)
  await cluster?.stop()
})

describe('a primary is lost under load', () => {
  it.each([
    ['that of the tag state, killed', names.tags, 'kill'],
    ['another one, hung', names.entry('use-cache', 'failing-1'), 'freeze'],
  ] as const)(
    '%s',
    async (_what, key, how) => {
      const start = (driver: 'ioredis' | 'redis', preset: 'strict' | 'l1-pubsub') =>
        fleet.start({ url: cluster.url, driver, options: { preset } })
      const replicas = [start('ioredis', 'strict'), start('redis', 'l1-pubsub')] as const
      const load = startFailoverLoad(replicas, keys, (tags) => tags.every((tag) => invalidated.has(tag)))
      await until(async () => load.acknowledged >= 10)
      const lost = await cluster.ownerOf(key)
      if (how === 'kill') await lost.stop()
      else lost.freeze()
      try {
        await until(async () => (await promoted(key)) !== undefined)
        const before = load.acknowledged
        await until(async () => load.acknowledged >= before + 10)
        await load.stop()
        await load.recovered()
      } finally {
        lost.unfreeze()
      }
      expect(load.reads).toBeGreaterThan(0)

      async function promoted(of: string): Promise<unknown> {
        const others = cluster.nodes.filter((node) => node !== lost)
        const owner = await cluster.ownerOf(of, others)
        return owner === lost ? undefined : owner
      }
    },
    3 * minute,
  )
})
