import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createRuntime } from '../../runtime/create-runtime'
import { CHANNEL_PREFIX, EVENTS } from '../../runtime/telemetry'
import { type Keyring, parseKeyring } from '../../src/encryption'
import type { Driver, Preset } from '../../src/options'
import { startRedis } from '../support/redis-server'
import { DRIVERS, nextEvent, TEST_OPTIONS, useCacheEntry } from '../support/replicas'

const PASSWORD = 'canary-p@ss/word'
const KEY = Buffer.alloc(32, 'canary-key-bytes').toString('base64')
const CACHE_KEY = 'canary-cache-key?user=somebody'
/** In every form in which it might be repeated. */
const CANARIES = [
  PASSWORD,
  encodeURIComponent(PASSWORD),
  Buffer.from(PASSWORD).toString('base64'),
  KEY,
  'canary-key',
  'canary-cache-key',
]

let seen: unknown[]
const cleanups: (() => unknown)[] = []

beforeEach(() => {
  seen = []
  const keep = (...all: unknown[]): void => void seen.push(...all)
  for (const level of ['log', 'info', 'warn', 'error', 'debug'] as const)
    vi.spyOn(console, level).mockImplementation(keep)
  vi.spyOn(process, 'emitWarning').mockImplementation(keep as never)
  for (const event of EVENTS) {
    subscribe(CHANNEL_PREFIX + event, keep)
    cleanups.push(() => unsubscribe(CHANNEL_PREFIX + event, keep))
  }
})
afterEach(async () => {
  vi.restoreAllMocks()
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const withSecret = (address: string) => `redis://someone:${encodeURIComponent(PASSWORD)}@${address}`

async function listen(answer: (socket: Socket, chunk: Buffer) => void): Promise<string> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (chunk) => answer(socket, chunk))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => sockets.add(socket))
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Servers that say no, each in its own way. */
const SERVERS: Record<string, () => Promise<string>> = {
  'wrong password': async () => {
    const redis = await startRedis({ acl: false, args: ['--requirepass', 'another'] })
    cleanups.push(() => redis.stop())
    return `127.0.0.1:${redis.port}`
  },
  'nobody there': async () => {
    const address = await listen(() => {})
    await cleanups.pop()!()
    return address
  },
  'no such host': async () => 'no-such-host.invalid:6379',
  'what repeats every command': () =>
    listen((socket, chunk) => {
      const said = chunk.toString().replaceAll(/[\r\n]+/g, ' ')
      for (const _ of chunk.toString().matchAll(/^\*/gm))
        socket.write(`-ERR unknown command, with args: ${said}\r\n`)
    }),
  'a web server': () =>
    listen((socket, chunk) => socket.end(`HTTP/1.1 400 Bad Request\r\n\r\n${chunk.toString()}`)),
  'what hangs up': () => listen((socket) => socket.destroy()),
}

function start(driver: Driver, preset: Preset, url: string, encryption?: Keyring) {
  const runtime = createRuntime({
    options: {
      ...TEST_OPTIONS,
      driver,
      preset,
      singleFlight: { leaseMs: 1500, waitMs: 200 },
      timeouts: { connectMs: 500, commandMs: 500, requestBudgetMs: 1000 },
    },
    backend: 'redis',
    url,
    namespace: 'build-1',
    debug: true,
    encryption,
    createClient: DRIVERS[driver],
  })
  cleanups.push(() => runtime.close())
  return runtime
}

async function use({ useCacheHandlers, CacheHandler }: ReturnType<typeof start>): Promise<void> {
  const handler = useCacheHandlers.default
  for (let times = 0; times < 2; times++) {
    seen.push(await handler.get(CACHE_KEY, ['soft']).catch((error: unknown) => error))
    await handler.set(CACHE_KEY, Promise.resolve(useCacheEntry('content', { tags: ['t'] })))
    seen.push(await new CacheHandler({}).get(CACHE_KEY, { kind: 'APP_ROUTE' }))
    await handler.updateTags(['t'])
  }
}

function expectNoCanary(): void {
  const said = seen
    .map((what) => inspect(what, { depth: 12, showHidden: true, maxStringLength: null }))
    .join('\n')
  expect(seen.length).toBeGreaterThan(5)
  for (const canary of CANARIES) expect(said).not.toContain(canary)
}

const cells = (Object.keys(DRIVERS) as Driver[]).flatMap((driver) =>
  (['strict', 'l1-pubsub'] as Preset[]).map((preset) => [driver, preset] as const),
)

describe.each(cells)('nothing secret is printed, published or thrown over %s, %s', (driver, preset) => {
  it.each(Object.keys(SERVERS))('in debug mode, before %s', async (name) => {
    const url = withSecret(await SERVERS[name]!())
    const failed = nextEvent('unavailable')
    await use(start(driver, preset, url, parseKeyring(`id:${KEY}`)))
    seen.push(await failed)
    expectNoCanary()
  })

  it('in debug mode, while all is well, and when Redis dies', async () => {
    const redis = await startRedis({ acl: false })
    cleanups.push(() => redis.stop())
    await redis.command('ACL', 'SETUSER', 'someone', 'on', `>${PASSWORD}`, 'allkeys', 'allchannels', '+@all')
    const runtime = start(driver, preset, withSecret(`127.0.0.1:${redis.port}`), parseKeyring(`id:${KEY}`))
    await use(runtime)
    expect(await redis.command('DBSIZE')).toBeGreaterThan(1)
    // Another key: what is there cannot be read.
    const other = parseKeyring(`id:${Buffer.alloc(32, 'canary-key').toString('base64')}`)
    await use(start(driver, preset, withSecret(`127.0.0.1:${redis.port}`), other))
    const failed = nextEvent('unavailable')
    await redis.stop()
    await use(runtime)
    seen.push(await failed)
    expectNoCanary()
  })
})
