import { afterEach, describe, expect, it } from 'vitest'
import { hashSlot } from '../../src/hash-slot'
import { createKeyNames } from '../../src/key-names'
import type { Driver } from '../../src/options'
import type { Topology } from '../../src/redis-topology'
import { ACL_PASSWORD, ACL_USER, clusterRules } from '../support/acl'
import { type RedisCluster, startCluster, until } from '../support/redis-cluster'
import { MASTER, type SentinelFleet, startSentinels } from '../support/redis-sentinel'
import type { RedisServer } from '../support/redis-server'
import {
  contentOf,
  createFleet,
  nextEvent,
  type Replica,
  TEST_OPTIONS,
  useCacheEntry,
} from '../support/replicas'

// With the rights that docs/security.md names for each topology, and no others. What is denied is in ACL LOG, of
// which `stop` of a fleet with `acl` complains.
const minute = 60_000
const names = createKeyNames(TEST_OPTIONS.keyPrefix, 'build-1')
const timeouts = { connectMs: 20_000, commandMs: 20_000, requestBudgetMs: 20_000 }
const fleet = createFleet()
let started: RedisCluster | SentinelFleet | undefined

afterEach(async () => {
  await fleet.stop()
  await started?.stop()
  started = undefined
})

function startPair(url: string, topology: Topology): [Replica, Replica] {
  const start = (driver: Driver, preset: 'strict' | 'l1-pubsub') =>
    fleet.start({ url, topology, driver, options: { preset, timeouts } })
  return [start('ioredis', 'strict'), start('redis', 'l1-pubsub')]
}

async function exercise([a, b]: readonly [Replica, Replica], key: string): Promise<void> {
  const on = (replica: Replica) => replica.useCacheHandlers.default
  await on(a).get(key, [])
  await on(a).set(key, Promise.resolve(useCacheEntry(key, { tags: [key] })))
  expect(await contentOf(await on(b).get(key, []))).toBe(key)
  await on(b).updateTags([key])
  expect(await on(a).get(key, [])).toBeUndefined()
}

describe('a Redis Cluster', () => {
  const patience = { timeout: minute }
  async function withMovingSlot(cluster: RedisCluster): Promise<void> {
    started = cluster
    const heard = nextEvent('gap', ({ reason }) => reason === 'subscribed')
    const pair = startPair(cluster.url, 'cluster')
    for (const key of ['a', 'b', 'c', 'd']) await exercise(pair, key)
    await heard
    // What a slot that moves does not hold any more is asked for with ASKING on its next node.
    const slot = hashSlot(names.entry('use-cache', 'moving'))
    const owner = await cluster.ownerOf(names.entry('use-cache', 'moving'))
    const [other] = (await cluster.primaries()).filter((node) => node !== owner)
    await cluster.moveSlot(slot, other as RedisServer, async () => {
      expect(await pair[0].useCacheHandlers.default.get('moving', [])).toBeUndefined()
    })
    await exercise(pair, 'moving')
  }

  it('needs nothing else', patience, async () => {
    await withMovingSlot(await startCluster({ acl: true }))
    await started?.stop()
  })

  it.each(clusterRules())('needs %s', patience, async (rule) => {
    // Redis 6.2 takes back whole commands only.
    const [command = ''] = rule.slice(1).split('|')
    const cluster = await startCluster({ acl: true })
    for (const node of cluster.nodes) await node.command('ACL', 'SETUSER', ACL_USER, `-${command}`)
    started = cluster
    const using = withMovingSlot(cluster).catch(() => {})
    const denied = async () => String(await cluster.everywhere('ACL', 'LOG'))
    await until(async () => (await denied()).includes(command))
    await fleet.stop()
    await using
    await cluster.everywhere('ACL', 'LOG', 'RESET')
  })
})

it('Sentinel needs nothing else, through a failover', { timeout: 2 * minute }, async () => {
  const sentinels = await startSentinels({ acl: true })
  started = sentinels
  const query = `/0?master=${MASTER}&sentineluser=${ACL_USER}&sentinelpassword=${ACL_PASSWORD}`
  const [first = '', ...others] = sentinels.url.split(',')
  const user = `//${ACL_USER}:${ACL_PASSWORD}@`
  const heard = nextEvent('gap', ({ reason }) => reason === 'subscribed')
  const pair = startPair([first.replace('//', user) + query, ...others].join(','), 'sentinel')
  await exercise(pair, 'before')
  await heard
  await sentinels.settled()
  const old = await sentinels.primary()
  await sentinels.ask(0, 'SENTINEL', 'FAILOVER', MASTER)
  await until(async () => {
    const now = await sentinels.primary()
    return now !== undefined && now !== old
  })
  const primary = await sentinels.primary()
  const connections = async () =>
    String(await primary?.command('CLIENT', 'LIST')).split(`user=${ACL_USER} `).length - 1
  // Both for commands, and one that subscribes.
  await until(async () => (await connections()) === 3)
  await until(() => exercise(pair, 'after').then(() => true))
  await sentinels.stop()
})
