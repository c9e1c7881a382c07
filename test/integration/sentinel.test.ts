import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { ConnectionEvent } from '../../runtime/clients/client'
import { CHANNEL_PREFIX } from '../../runtime/telemetry'
import { startFailoverLoad } from '../support/failover-load'
import { until } from '../support/redis-cluster'
import { type RedisServer, startServer } from '../support/redis-server'
import { MASTER, type SentinelFleet, startSentinels } from '../support/redis-sentinel'
import { createFleet, DRIVERS, TEST_OPTIONS } from '../support/replicas'

const ENOUGH_MS = 20_000
const minute = 60_000
const SECRETS = { password: 'data-hunter2', sentinelPassword: 'sentinel-hunter2' }

let sentinels: SentinelFleet
let url: string
const fleet = createFleet()
const cleanups: (() => unknown)[] = []
const invalidated = new Set<string>()
const note = (message: unknown): void => {
  for (const tag of (message as { tags: string[] }).tags) invalidated.add(tag)
}

beforeAll(async () => {
  subscribe(`${CHANNEL_PREFIX}invalidated`, note)
  sentinels = await startSentinels(SECRETS)
  url = withSecrets(sentinels.url, SECRETS.password, SECRETS.sentinelPassword)
}, 2 * minute)
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
  await fleet.stop()
})
afterAll(async () => {
  unsubscribe(`${CHANNEL_PREFIX}invalidated`, note)
  await sentinels?.stop()
})

/** On the first URL, for all. */
function withSecrets(list: string, password: string, sentinelPassword: string, master = MASTER): string {
  const [first = '', ...others] = list.split(',')
  const query = `/0?master=${master}&sentinelpassword=${sentinelPassword}`
  return [first.replace('//', `//:${password}@`) + query, ...others].join(',')
}

describe.each(Object.entries(DRIVERS))('sentinels over %s', (_driver, createClient) => {
  function open(at: string) {
    const events: ConnectionEvent[] = []
    const options = { connectMs: ENOUGH_MS, commandMs: ENOUGH_MS, clientName: 'sentinel-test' }
    const client = createClient({ url: at, topology: 'sentinel', ...options })
    client.onEvent((event) => events.push(event))
    cleanups.push(() => client.close())
    return { client, events }
  }

  it('connects to the primary, with the credentials of each, commands and subscriptions', async () => {
    const { client } = open(url)
    await client.waitUntilReady(ENOUGH_MS)
    const [role] = await client.send([{ key: undefined, args: ['ROLE'] }])
    expect(String((role as Buffer[])[0])).toBe('master')
    const heard: string[] = []
    await new Promise<void>((resolve) =>
      client.subscribe(
        'channel',
        (payload) => heard.push(String(payload)),
        (live) => live && resolve(),
      ),
    )
    await client.send([{ key: undefined, args: ['PUBLISH', 'channel', 'hello'] }])
    await vi.waitFor(() => expect(heard).toEqual(['hello']), { timeout: ENOUGH_MS })
  })

  it('does not use what calls itself a replica, whatever a sentinel says', async () => {
    const primary = await sentinels.primary()
    const replica = sentinels.servers.find((server) => server !== primary) as RedisServer
    const misled = await startLiar(replica.port)
    cleanups.push(() => misled.close())
    const { client, events } = open(withSecrets(misled.url, SECRETS.password, SECRETS.sentinelPassword))
    await vi.waitFor(() => expect(events.length).toBeGreaterThan(0), { timeout: ENOUGH_MS })
    expect(inspect(events[0])).toContain('Redis is a slave and not the primary')
    expect(client.ready).toBe(false)
    // It is asked anew with each dial.
    misled.namePort((primary as RedisServer).port)
    await client.waitUntilReady(ENOUGH_MS)
  })

  it('leaves a primary that still takes commands as soon as another one is announced', async () => {
    const [old, other] = await Promise.all([startServer(), startServer()])
    const liar = await startLiar(old.port)
    cleanups.push(() => liar.close(), old.stop, other.stop)
    const { client } = open(`${liar.url}?master=${MASTER}`)
    const states: boolean[] = []
    client.subscribe(
      'channel',
      () => {},
      (live) => states.push(live),
    )
    await vi.waitFor(() => expect([client.ready, ...states]).toEqual([true, true]), { timeout: ENOUGH_MS })
    // Whoever asks is still told the old one.
    liar.announce(`${MASTER} 127.0.0.1 ${old.port} 127.0.0.1 ${other.port}`)
    const listeners = async (server: RedisServer) =>
      String(await server.command('CLIENT', 'LIST')).split('name=sentinel-test').length - 1
    await vi.waitFor(async () => expect(await listeners(other)).toBe(2), { timeout: ENOUGH_MS })
    await vi.waitFor(async () => expect(await listeners(old)).toBe(0), { timeout: ENOUGH_MS })
    expect(String(await old.command('ROLE'))).toContain('master')
    await client.send([{ key: 'a', args: ['SET', 'a', 'b'] }])
    expect(await other.command('GET', 'a')).toBe('b')
  })

  it.each([
    [
      'the password of the sentinels',
      () => withSecrets(sentinels.url, SECRETS.password, 'wrong-hunter2'),
      'WRONGPASS',
    ],
    [
      'that of Redis',
      () => withSecrets(sentinels.url, 'wrong-hunter2', SECRETS.sentinelPassword),
      'WRONGPASS',
    ],
    [
      'the name',
      () => withSecrets(sentinels.url, SECRETS.password, SECRETS.sentinelPassword, 'other'),
      'knows no primary of that name',
    ],
    ['every address', () => 'redis://127.0.0.1:1?master=m,redis://127.0.0.1:2', 'ECONNREFUSED'],
  ])('says what is wrong, without secrets: %s', async (_what, at, reason) => {
    const { client, events } = open(at())
    await vi.waitFor(() => expect(events.length).toBeGreaterThan(0), { timeout: ENOUGH_MS })
    const failed: unknown = await client.waitUntilReady(1).catch((error: unknown) => error)
    expect(inspect(events)).toContain(reason)
    expect(failed).toMatchObject({ code: 'CLIENT' })
    expect(inspect([failed, events])).not.toContain('hunter2')
  })
})

describe('a failover under load', () => {
  it.each([
    ['because the primary was killed, and a sentinel with it', true],
    ['asked for by an operator', false],
  ])(
    '%s',
    async (_what, kill) => {
      const start = (driver: 'ioredis' | 'redis', preset: 'strict' | 'l1-pubsub') =>
        fleet.start({ url, topology: 'sentinel', driver, options: { preset } })
      const replicas = [start('ioredis', 'strict'), start('redis', 'l1-pubsub')] as const
      const keys = Array.from({ length: 6 }, (_, index) => `failing-${index}`)
      const load = startFailoverLoad(replicas, keys, (tags) => tags.every((tag) => invalidated.has(tag)))
      await until(async () => load.acknowledged >= 10)
      await sentinels.settled()
      const old = await sentinels.primary()
      if (kill) {
        await old?.stop()
        await sentinels.stopSentinel(0)
      } else {
        await sentinels.ask(1, 'SENTINEL', 'FAILOVER', MASTER)
      }
      await until(async () => {
        const now = await sentinels.primary()
        return now !== undefined && now !== old
      })
      // Both replicas left the old primary: commands and subscriptions.
      const primary = await sentinels.primary()
      await until(async () => (await connectionsTo(primary)) === 3)
      if (!kill) await until(async () => (await connectionsTo(old)) === 0)
      const before = load.acknowledged
      await until(async () => load.acknowledged >= before + 10)
      await load.stop()
      await load.recovered()
      expect(load.reads).toBeGreaterThan(0)
    },
    3 * minute,
  )
})

/** Of the replicas: two for commands, and one of the replica that subscribes. */
async function connectionsTo(server: RedisServer | undefined): Promise<number> {
  const list = String(await server?.command('CLIENT', 'LIST'))
  return list.split(`name=${TEST_OPTIONS.keyPrefix}`).length - 1
}

/** Answers as a sentinel does, and names and announces whatever it is told to. */
async function startLiar(port: number) {
  let named = port
  let announced: string | undefined
  const listening = new Set<Socket>()
  const bulk = (...texts: string[]) =>
    `*${texts.length}\r\n${texts.map((text) => `$${text.length}\r\n${text}\r\n`).join('')}`
  const tell = (socket: Socket): void => {
    if (announced !== undefined) socket.write(bulk('message', '+switch-master', announced))
  }
  const liar = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('close', () => listening.delete(socket))
    socket.on('data', (chunk) => {
      for (const [word] of chunk.toString().matchAll(/(?:AUTH|SETNAME|PING|by-name|SUBSCRIBE)\r\n/gi)) {
        const name = word.trim().toLowerCase()
        if (name === 'by-name') socket.write(bulk('127.0.0.1', String(named)))
        else if (name === 'ping' && listening.has(socket)) socket.write(bulk('pong', ''))
        else if (name === 'subscribe') {
          socket.write('*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n')
          listening.add(socket)
          tell(socket)
        } else socket.write('+OK\r\n')
      }
    })
  }).listen(0, '127.0.0.1')
  await once(liar, 'listening')
  return {
    url: `redis://127.0.0.1:${(liar.address() as AddressInfo).port}`,
    namePort: (other: number) => void (named = other),
    announce(what: string) {
      announced = what
      for (const socket of listening) tell(socket)
    },
    close: () => void liar.close(),
  }
}
