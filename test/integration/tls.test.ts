import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { ConnectionEvent } from '../../runtime/clients/client'
import { type Certificate, type CertificateAuthority, createAuthority } from '../support/certificates'
import { freePort, type RedisServer, startRedis } from '../support/redis-server'
import { contentOf, createFleet, DRIVERS, useCacheEntry } from '../support/replicas'

const ENOUGH_MS = 20_000
const NAME = 'redis.internal'
const USER = 'application:hunter2'

let authority: CertificateAuthority
let ours: Certificate
let redis: RedisServer
let port: number
const fleet = createFleet()
const cleanups: (() => unknown)[] = []

const canTest = spawnSync('openssl', ['version']).status === 0
const suite = canTest ? describe.each(Object.entries(DRIVERS)) : describe.skip.each(Object.entries(DRIVERS))

beforeAll(async () => {
  if (!canTest) return
  authority = createAuthority()
  ours = authority.issue('client')
  const { certFile, keyFile } = authority.issue(NAME)
  port = await freePort()
  const tls = {
    port,
    'cert-file': certFile,
    'key-file': keyFile,
    'ca-cert-file': authority.caFile,
    'auth-clients': 'yes',
  }
  const args = Object.entries(tls).flatMap(([name, value]) => [`--tls-${name}`, String(value)])
  redis = await startRedis({ args: [...args, '--requirepass', 'of the administrator'] })
  await redis.command('ACL', 'SETUSER', 'application', 'on', '>hunter2', 'allkeys', 'allchannels', '+@all')
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
  await fleet.stop()
})
afterAll(async () => {
  await redis?.stop()
  authority?.remove()
})

interface Parameters {
  cafile?: string
  certfile?: string
  keyfile?: string
  servername?: string
}

function urlWith(changes: { [name in keyof Parameters]: string | undefined } = {}): string {
  const all = {
    cafile: authority.caFile,
    certfile: ours.certFile,
    keyfile: ours.keyFile,
    servername: NAME,
    ...changes,
  }
  const query = new URLSearchParams(
    Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined),
  )
  return `rediss://${USER}@127.0.0.1:${port}?${query}`
}

suite('TLS with certificates on both sides over %s', (driver, createClient) => {
  function open(url: string) {
    const events: ConnectionEvent[] = []
    const client = createClient({ url, connectMs: ENOUGH_MS, commandMs: ENOUGH_MS, clientName: 'tls-test' })
    client.onEvent((event) => events.push(event))
    cleanups.push(() => client.close())
    return { client, events }
  }
  const ask = [{ key: undefined, args: ['ACL', 'WHOAMI'] as const }]

  it('serves a replica: commands and subscription', async () => {
    const options = { preset: 'l1-pubsub' as const }
    const replica = fleet.start({ url: urlWith(), driver: driver as 'ioredis' | 'redis', options })
    const handler = replica.useCacheHandlers.default
    await handler.get('key', [])
    await handler.set('key', Promise.resolve(useCacheEntry('content')))
    expect(await contentOf(await handler.get('key', []))).toBe('content')
    await vi.waitFor(async () => expect(await redis.command('PUBSUB', 'CHANNELS')).toHaveLength(1), {
      timeout: ENOUGH_MS,
    })
  })

  it.each<[string, Partial<Parameters> | { [name in keyof Parameters]: undefined }, RegExp]>([
    [
      'no certificate of its own',
      { certfile: undefined, keyfile: undefined },
      /certificate required|closed|ECONNRESET|reset/i,
    ],
    ['an authority that nobody knows', { cafile: undefined }, /self-signed certificate|unable to/i],
    ['another name', { servername: 'other.internal' }, /redis\.internal|altname/i],
    ['the address in place of the name', { servername: undefined }, /127\.0\.0\.1|altname/i],
  ])('is never ready with %s', async (_what, changes, reason) => {
    const { client, events } = open(urlWith(changes))
    await vi.waitFor(() => expect(events.length).toBeGreaterThan(0), { timeout: ENOUGH_MS })
    expect(client.ready).toBe(false)
    expect(inspect(events[0])).toMatch(reason)
    expect(inspect(events)).not.toContain('hunter2')
  })

  it('names a file that it cannot read, and nothing that is in the others', async () => {
    const missing = join(authority.directory, 'nowhere.pem')
    const { events } = open(urlWith({ cafile: missing }))
    await vi.waitFor(() => expect(events.length).toBeGreaterThan(0), { timeout: ENOUGH_MS })
    expect(inspect(events[0])).toContain(`The cafile of the Redis URL cannot be read: ${missing} (ENOENT)`)
    const broken = join(authority.directory, 'broken.key')
    writeFileSync(broken, 'hunter2')
    const { events: others } = open(urlWith({ keyfile: broken }))
    await vi.waitFor(() => expect(others.length).toBeGreaterThan(0), { timeout: ENOUGH_MS })
    expect(inspect(others)).not.toContain('hunter2')
  })

  it('uses a certificate that was rotated from the next connection on', async () => {
    const mine = authority.issue(`rotating-${driver}`)
    const { client, events } = open(urlWith({ certfile: mine.certFile, keyfile: mine.keyFile }))
    await client.waitUntilReady(ENOUGH_MS)
    const good = readFileSync(mine.certFile)
    writeFileSync(mine.certFile, 'expired, so to say')
    expect(String((await client.send(ask))[0])).toBe('application')
    await redis.command('CLIENT', 'KILL', 'TYPE', 'normal')
    await vi.waitFor(() => expect(events.filter(({ type }) => type === 'end').length).toBeGreaterThan(1), {
      timeout: ENOUGH_MS,
    })
    expect(client.ready).toBe(false)
    writeFileSync(mine.certFile, good)
    await client.waitUntilReady(ENOUGH_MS)
    expect(String((await client.send(ask))[0])).toBe('application')
  })
})
