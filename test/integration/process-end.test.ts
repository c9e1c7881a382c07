import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { get } from 'node:http'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createKeyNames, leaseName } from '../../src/key-names'
import type { Driver } from '../../src/options'
import { type RedisServer, startRedis } from '../support/redis-server'
import { contentOf, createFleet, DRIVERS, TEST_OPTIONS } from '../support/replicas'

const ROOT = join(__dirname, '..', '..')
const names = createKeyNames(TEST_OPTIONS.keyPrefix, 'build-1')
const leaseOf = (key: string) => leaseName(names.entry('use-cache', key))
/** So long that no lease ends by itself. */
const SINGLE_FLIGHT = { leaseMs: 600_000, waitMs: 600_000 }

let redis: RedisServer
const children = new Set<ChildProcess>()
const fleet = createFleet()

beforeAll(async () => void (redis = await startRedis()))
afterAll(() => redis.stop())
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
  await fleet.stop()
  await redis.command('FLUSHALL')
})

type Handlers = 'none' | 'like-next' | 'like-next-later' | 'natural' | 'counting'

interface Server {
  readonly child: ChildProcess
  readonly port: number
  /** Resolves with the first message that fits. */
  said(text: string): Promise<void>
  tell(...command: string[]): void
  /** How it ended. */
  readonly ended: Promise<[code: number | null, signal: string | null]>
}

/** Without a deadline of its own: exactly what the entries get. */
async function start(driver: Driver, handlers: Handlers, endDeadlineMs?: number): Promise<Server> {
  const options = { ...TEST_OPTIONS, driver, singleFlight: SINGLE_FLIGHT }
  const settings = { dist: join(ROOT, 'dist'), url: redis.url, driver, options, handlers, endDeadlineMs }
  const child = fork(join(ROOT, 'test/support/ending-process.mjs'), [JSON.stringify(settings)])
  children.add(child)
  const messages: unknown[] = []
  child.on('message', (message) => void messages.push(message))
  const ended = once(child, 'exit') as Server['ended']
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  return {
    child,
    port,
    ended,
    tell: (...command) => void child.send(command),
    async said(text) {
      while (!messages.includes(text)) await once(child, 'message')
    },
  }
}

const connections = async () =>
  String(await redis.command('CLIENT', 'LIST'))
    .split('\n')
    .filter((line) => line.includes(`name=${TEST_OPTIONS.keyPrefix}`)).length

describe.each(Object.keys(DRIVERS) as Driver[])('the end of a process over %s', (driver) => {
  const read = async (key: string) => {
    const reader = fleet.start({ url: redis.url, driver })
    return contentOf(await reader.useCacheHandlers.default.get(key, []))
  }

  it('nobody listens to the signal: what is being written arrives, then the signal has its effect', async () => {
    const server = await start(driver, 'none', 20_000)
    server.tell('claim', 'never written')
    await server.said('claim done')
    expect(await redis.command('EXISTS', leaseOf('never written'))).toBe(1)
    server.tell('endWhileWriting', 'k')
    expect(await server.ended).toEqual([null, 'SIGTERM'])
    expect(await read('k')).toBe('content of k')
    expect(await redis.command('EXISTS', leaseOf('never written'))).toBe(0)
    await expect.poll(connections, { timeout: 10_000 }).toBe(1)
  })

  it('Next finishes what is under way: its requests have the cache, and the exit code is its own', async () => {
    const server = await start(driver, 'like-next')
    server.tell('generateGated', 'warm')
    await server.said('writing')
    const answered = new Promise((resolve, reject) => {
      const asked = get({ port: server.port, path: '/k', host: '127.0.0.1', agent: false }, resolve)
      asked.on('error', reject)
    })
    answered.catch(() => {})
    // Its request and the write before it are under way.
    await expect.poll(() => redis.command('EXISTS', leaseOf('k')), { timeout: 10_000 }).toBe(1)
    server.child.kill('SIGTERM')
    server.tell('openGate')
    await expect.poll(() => read('k'), { timeout: 10_000 }).toBe('content of k')
    server.tell('goOn')
    await answered
    expect(await server.ended).toEqual([143, null])
    expect(await read('k later')).toBe('content of k later')
    expect(await read('warm')).toBe('content of warm')
  })

  it('Next exits before the next retry: an invalidation that Redis refused is tried once more', async () => {
    const server = await start(driver, 'like-next-later')
    server.tell('generate', 'k')
    await server.said('generate done')
    await redis.command('CONFIG', 'SET', 'maxmemory', '1')
    try {
      server.tell('invalidate', 'refused')
      await server.said('invalidate done')
    } finally {
      await redis.command('CONFIG', 'SET', 'maxmemory', '0')
    }
    server.child.kill('SIGTERM')
    expect(await server.ended).toEqual([143, null])
    expect(await redis.command('HEXISTS', names.tags, ':refused')).toBe(1)
  })

  it('an application that ends by itself is not held up, and leaves no lease', async () => {
    const server = await start(driver, 'natural')
    server.tell('claim', 'k')
    await server.said('claim done')
    server.child.kill('SIGTERM')
    expect(await server.ended).toEqual([0, null])
    expect(await redis.command('EXISTS', leaseOf('k'))).toBe(0)
  })

  it('a library that ends the process when nobody else listens finds itself alone', async () => {
    const server = await start(driver, 'counting')
    server.child.kill('SIGTERM')
    expect(await server.ended).toEqual([null, 'SIGTERM'])
  })

  it('a hung Redis holds the end up no longer than its deadline', async () => {
    const server = await start(driver, 'none')
    server.tell('generate', 'warm')
    await server.said('generate done')
    server.tell('generateGated', 'k')
    await server.said('writing')
    redis.freeze()
    try {
      server.child.kill('SIGTERM')
      expect(await server.ended).toEqual([null, 'SIGTERM'])
    } finally {
      redis.unfreeze()
    }
  })
})

it('ioredis writes at once: a process that exits leaves no lease', async () => {
  const server = await start('ioredis', 'like-next')
  server.tell('claim', 'k')
  await server.said('claim done')
  server.child.kill('SIGTERM')
  expect(await server.ended).toEqual([143, null])
  await expect.poll(() => redis.command('EXISTS', leaseOf('k')), { timeout: 10_000 }).toBe(0)
})
