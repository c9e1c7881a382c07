import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect as connectTcp, createServer, Socket, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { inspect, promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type {
  CommandArgument,
  ConnectionEvent,
  ConnectionOptions,
  RedisClient,
  RedisCommand,
  RedisReply,
} from '../../runtime/clients/client'
import { Pieces } from '../../src/pieces'
import { createIoredis, createNodeRedis } from '../support/clients'
import { startRedis, type RedisServer, type StartRedisOptions } from '../support/redis-server'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy'

// A server that answers does so within this; generous, because the machine is shared.
const ENOUGH_MS = 10_000
const FEW_BYTES = Buffer.from([0, 13, 10, 255, 36, 49, 13, 10, 200, 1])

let server: RedisServer
let proxy: TcpProxy
let compiled: string
const unhandled: unknown[] = []
const noteUnhandled = (error: unknown): void => void unhandled.push(error)

beforeAll(async () => {
  process.on('unhandledRejection', noteUnhandled)
  server = await startRedis({ acl: false })
  compiled = compileClients()
})
afterAll(async () => {
  process.off('unhandledRejection', noteUnhandled)
  rmSync(compiled, { recursive: true, force: true })
  await server.stop()
})

const cleanups: (() => unknown)[] = []
beforeEach(async () => {
  proxy = await startTcpProxy(server.port)
  cleanups.push(() => proxy.close())
  await server.command('FLUSHALL')
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
  // Rejections count as unhandled after a turn of the event loop.
  await new Promise(setImmediate)
  expect(unhandled.splice(0)).toEqual([])
})

describe.each([
  ['ioredis', createIoredis],
  ['node-redis', createNodeRedis],
])('%s', (driver, createClient) => {
  function open(options: Partial<ConnectionOptions> = {}): {
    client: RedisClient
    events: ConnectionEvent[]
  } {
    const events: ConnectionEvent[] = []
    const client = createClient({
      url: server.url,
      connectMs: ENOUGH_MS,
      commandMs: ENOUGH_MS,
      clientName: 'conformance',
      ...options,
    })
    client.onEvent((event) => events.push(event))
    cleanups.push(() => client.close())
    return { client, events }
  }
  /** What the client says of a connection that failed; however long the machine takes to fail. */
  async function reasonNotReady({ client, events }: ReturnType<typeof open>): Promise<unknown> {
    await eventually(() => expect(events.some(({ type }) => type === 'end')).toBe(true))
    return client.waitUntilReady(1).catch((error: unknown) => error)
  }
  async function openReady(options: Partial<ConnectionOptions> = {}): Promise<RedisClient> {
    const { client } = open(options)
    await client.waitUntilReady(ENOUGH_MS)
    return client
  }
  async function start(options?: StartRedisOptions): Promise<RedisServer> {
    const started = await startRedis({ acl: false, ...options })
    cleanups.push(() => started.stop())
    return started
  }

  describe('replies', () => {
    it('carries every byte in keys and values, both ways', async () => {
      const client = await openReady()
      const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
      const replies = await client.send([
        command('SET', everyByte, everyByte),
        command('GET', everyByte),
        command('SET', 'empty', Buffer.alloc(0)),
        command('GET', 'empty'),
        command('SET', 'text', 'Grüße 🌍'),
        command('GET', 'text'),
      ])
      expect(replies).toEqual([
        Buffer.from('OK'),
        everyByte,
        Buffer.from('OK'),
        Buffer.alloc(0),
        Buffer.from('OK'),
        Buffer.from('Grüße 🌍'),
      ])
    })

    it('carries 2 MB, several times in a batch', async () => {
      const client = await openReady()
      const body = randomBytes(2 * 1024 * 1024)
      const [, first, second] = await client.send([
        command('SET', 'body', body),
        command('GET', 'body'),
        command('GET', 'body'),
      ])
      // Not toEqual: a difference of two bodies this large would take minutes to print.
      expect(body.equals(first as Buffer)).toBe(true)
      expect(body.equals(second as Buffer)).toBe(true)
    })

    it('carries arguments in pieces, many at a time, between others', async () => {
      const client = await openReady()
      const bodies = [10, 5_000, 300_000, ...Array<number>(10).fill(50_000)].map((bytes) =>
        randomBytes(bytes),
      )
      const inPieces = (body: Buffer) =>
        new Pieces([body.subarray(0, 3), new Uint8Array(body.subarray(3, 9)), body.subarray(9)])
      for (let round = 0; round < 2; round++) {
        const batches = bodies.map((body, index) =>
          client.send([
            command('PING'),
            command('SET', `body ${index} é`, inPieces(body), 'PX', '60000'),
            command('GET', `body ${index} é`),
            command('RPUSH', `list ${round} ${index}`, inPieces(body), 'é', inPieces(FEW_BYTES)),
            command('LRANGE', `list ${round} ${index}`, '0', '-1'),
          ]),
        )
        for (const [index, body] of bodies.entries()) {
          const [pong, ok, read, count, list] = await (batches[index] as Promise<RedisReply[]>)
          expect([pong, ok, count]).toEqual([Buffer.from('PONG'), Buffer.from('OK'), 3])
          expect(body.equals(read as Buffer)).toBe(true)
          const [first, second, third] = list as Buffer[]
          expect([body.equals(first as Buffer), second, third]).toEqual([true, Buffer.from('é'), FEW_BYTES])
        }
      }
    })

    it('a piece that cannot be written fails its command, and shifts no reply of another', async () => {
      const client = await openReady()
      await client.send([command('SET', 'a', '1')])
      const gone = new Uint8Array(5_000)
      const pieces = new Pieces([Buffer.alloc(3_000), gone])
      structuredClone(gone, { transfer: [gone.buffer] })
      const failed = client.send([command('PING'), command('SET', 'b', pieces)])
      const next = client.send([command('GET', 'a')])
      await expect(failed).rejects.toThrow()
      const outcome = await next.catch(codeOf)
      expect([[Buffer.from('1')], 'CLIENT']).toContainEqual(outcome)
      await eventually(async () => {
        const replies = await client.send([command('GET', 'a'), command('EXISTS', 'b')])
        expect(replies).toEqual([Buffer.from('1'), 0])
      })
    })

    // Of node-redis nobody can say how it reads its socket.
    it.runIf(driver === 'ioredis')(
      'gives large values in memory of no more than their own size',
      async () => {
        const client = await openReady()
        const body = randomBytes(50 * 1024)
        const replies = await client.send([
          command('SET', 'body', body),
          ...Array.from({ length: 20 }, () => command('GET', 'body')),
        ])
        for (const reply of replies.slice(1) as Buffer[]) {
          expect(body.equals(reply)).toBe(true)
          expect(reply.buffer.byteLength - reply.length).toBeLessThanOrEqual(32)
        }
      },
    )

    it('gives null, integers, arrays and errors in place, as Redis said them', async () => {
      const client = await openReady()
      const replies = await client.send([
        command('GET', 'missing'),
        command('INCRBY', 'number', '41'),
        command('DECRBY', 'number', '42'),
        command('LPUSH', 'number', 'wrong type'),
        command('MGET', 'number', 'missing'),
        command('hset', 'hash', 'field', 'value', '__proto__', Buffer.from([0xff])),
        command('hgetall', 'hash'),
        command('HMGET', 'hash', 'missing', 'field'),
        command('EVAL', "return {1, {'nested', false}, redis.error_reply('OOPS inside')}", '0'),
        command('NO-SUCH-COMMAND'),
        command('EVALSHA', '0'.repeat(40), '0'),
      ])
      expect(replies).toEqual([
        null,
        41,
        -1,
        expect.any(Error),
        [Buffer.from('-1'), null],
        2,
        ['field', 'value', '__proto__', Buffer.from([0xff])].map((text) => Buffer.from(text as string)),
        [null, Buffer.from('value')],
        [1, [Buffer.from('nested'), null], expect.any(Error)],
        expect.any(Error),
        expect.any(Error),
      ])
      expect((replies[3] as Error).message).toMatch(/^WRONGTYPE/)
      expect(((replies[8] as RedisReply[])[2] as Error).message).toMatch(/^OOPS inside/)
      expect((replies[9] as Error).message).toMatch(/^ERR unknown command/)
      expect((replies[10] as Error).message).toMatch(/^NOSCRIPT/)
    })

    it('does not put the arguments of a command into its error', async () => {
      const client = await openReady()
      const [reply] = await client.send([command('HSET', 'hash', Buffer.from('a body'))])
      expect(reply).toBeInstanceOf(Error)
      expect(inspect(reply, { depth: 5 })).not.toContain(inspect(Buffer.from('a body')))
    })

    it('answers an empty batch without Redis', async () => {
      const { client } = open({ url: `redis://127.0.0.1:${await closedPort()}` })
      await expect(client.send([])).resolves.toEqual([])
    })
  })

  describe('round trips', () => {
    beforeEach(() => proxy.delay(25))

    it('sends a batch at once, a large body first', async () => {
      const client = await openReady({ url: proxy.url })
      proxy.resetCounters()
      const body = randomBytes(500_000)
      const replies = await client.send([
        command('SET', 'body', body),
        command('HSET', 'tags', 'a', body),
        command('GET', 'body'),
        command('HMGET', 'tags', 'a'),
        command('PUBLISH', 'channel', 'message'),
        command('TIME'),
      ])
      expect(replies).toHaveLength(6)
      expect(body.equals(replies[2] as Buffer)).toBe(true)
      expect(proxy).toMatchObject({ roundTrips: 1, connections: 0 })
    })

    it('has the whole batch on the wire before anything else can delay it', async () => {
      const client = await openReady()
      const replies = client.send([command('SET', 'body', Buffer.alloc(96 * 1024)), command('INCR', 'a')])
      await new Promise(setImmediate)
      // While the child asks Redis, this process is blocked: what it did not write yet stays unwritten.
      const source = `require('net').connect(${server.port}, '127.0.0.1', function () { this.end('GET a\\r\\n') })
        .pipe(process.stdout)`
      expect(execFileSync(process.execPath, ['-e', source]).toString()).toBe('$1\r\n1\r\n')
      await replies
    })

    it('hands a batch of text to the socket as one string', async () => {
      const client = await openReady()
      const written = vi.spyOn(Socket.prototype, 'write')
      cleanups.push(() => written.mockRestore())
      const replies = client.send(Array.from({ length: 64 }, (_, index) => command('ECHO', `ü${index}`)))
      // node-redis writes later, and each command by itself.
      if (driver === 'ioredis') expect(written).toHaveBeenCalledTimes(1)
      expect((await replies).map(String)).toEqual(Array.from({ length: 64 }, (_, index) => `ü${index}`))
    })

    it('does not wait for one batch before it sends the next', async () => {
      const client = await openReady({ url: proxy.url })
      proxy.resetCounters()
      const answered: number[] = []
      const counts = await Promise.all(
        Array.from({ length: 300 }, async (_, index) => {
          const [count, echo] = await client.send([
            command('INCR', 'counter'),
            command('ECHO', Buffer.from(String(index))),
          ])
          expect(echo).toEqual(Buffer.from(String(index)))
          answered.push(index)
          return count
        }),
      )
      const inOrder = Array.from({ length: 300 }, (_, index) => index)
      expect(counts).toEqual(inOrder.map((index) => index + 1))
      expect(answered).toEqual(inOrder)
      expect(proxy).toMatchObject({ roundTrips: 1, connections: 0 })
    })

    it('is ready after one round trip, and asks for nothing it does not need', async () => {
      await server.resetCommandStats()
      const { client } = open({ url: `${proxy.url}/2` })
      await client.waitUntilReady(ENOUGH_MS)
      expect(proxy).toMatchObject({ roundTrips: 1, connections: 1 })
      await client.send([command('SET', 'key', 'value')])
      const { info: _info, 'config|resetstat': _reset, ...stats } = await server.commandStats()
      expect(stats).toEqual({ select: 1, 'client|setname': 1, ping: 1, set: 1 })
    })
  })

  describe('timeouts', () => {
    it('rejects in time, and later replies go where they belong', async () => {
      const client = await openReady({ url: proxy.url })
      proxy.pause()
      const late = client.send([command('ECHO', 'late')], 50)
      await expect(late).rejects.toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining('50 ms') })
      const waiting = client.send([command('ECHO', 'waiting')])
      proxy.resume()
      await expect(waiting).resolves.toEqual([Buffer.from('waiting')])
      await expect(client.send([command('ECHO', 'next')])).resolves.toEqual([Buffer.from('next')])
      expect(proxy.connections).toBe(1)
    })

    it('replaces a connection that answers nothing any more', async () => {
      const { client, events } = open({ url: proxy.url, commandMs: 200 })
      await client.waitUntilReady(ENOUGH_MS)
      proxy.pause()
      const dialled = proxy.nextConnection()
      await expect(client.send([command('PING')])).rejects.toMatchObject({ code: 'TIMEOUT' })
      const patient = client.send([command('PING')], ENOUGH_MS)
      await expect(patient).rejects.toMatchObject({ code: 'CLIENT' })
      expect(client.ready).toBe(false)
      expect(events.at(-1)).toMatchObject({ type: 'end', reason: expect.stringContaining('did not answer') })
      await dialled
      proxy.resume()
      await client.waitUntilReady(ENOUGH_MS)
      await expect(client.send([command('ECHO', 'again')], ENOUGH_MS)).resolves.toEqual([
        Buffer.from('again'),
      ])
    })

    it('replaces a connection to a frozen server', async () => {
      const frozen = await start()
      const { client, events } = open({ url: frozen.url, commandMs: 200, connectMs: 500 })
      await client.waitUntilReady(ENOUGH_MS)
      frozen.freeze()
      await expect(client.send([command('PING')])).rejects.toMatchObject({ code: 'TIMEOUT' })
      // A frozen server still accepts connections: it has to fail at the greeting, too.
      await eventually(() => expect(events.filter(({ type }) => type === 'end').length).toBeGreaterThan(1))
      frozen.unfreeze()
      await client.waitUntilReady(ENOUGH_MS)
      await expect(client.send([command('ECHO', 'x')], ENOUGH_MS)).resolves.toEqual([Buffer.from('x')])
    })

    it.each([
      ['in one buffer', (payload: Buffer) => payload],
      ['in pieces', (payload: Buffer) => new Pieces([Buffer.from('head'), payload])],
    ])('does not keep the payload of a batch that timed out, %s', async (_how, argument) => {
      const client = await openReady({ url: proxy.url })
      proxy.pause()
      const payloads: WeakRef<Buffer>[] = []
      const timeouts: Promise<unknown>[] = []
      // In a function of its own, so that no local variable keeps the last buffer.
      const send = (): void => {
        const payload = Buffer.alloc(128 * 1024, 'x')
        payloads.push(new WeakRef(payload))
        timeouts.push(
          client.send([command('SET', 'a', argument(payload)), command('GET', 'a')], 50).catch(codeOf),
        )
      }
      for (let count = 0; count < 4; count++) send()
      expect(await Promise.all(timeouts)).toEqual(Array(4).fill('TIMEOUT'))
      await eventually(() => {
        collectGarbage()
        expect(payloads.filter((payload) => payload.deref() !== undefined)).toEqual([])
      })
    })

    it('refuses more when too much waits for a reply', async () => {
      const client = await openReady({ url: proxy.url })
      proxy.pause()
      const body = Buffer.alloc(15 * 1024 * 1024)
      const outcomes = Array.from({ length: 6 }, () => client.send([command('SET', 'a', body)]).catch(codeOf))
      // Nothing else than a refusal can end while the proxy is paused.
      await expect(Promise.any(outcomes)).resolves.toBe('CLIENT')
      await client.close()
      expect(await Promise.all(outcomes)).toEqual([
        'CLOSED',
        'CLOSED',
        'CLOSED',
        'CLOSED',
        'CLIENT',
        'CLIENT',
      ])
    })

    it('does not blame Redis when this process could not run', async () => {
      // The reply takes a few turns of the event loop, for which there has to be time after the block.
      proxy.delay(25)
      const client = await openReady({ url: proxy.url })
      const reply = client.send([command('ECHO', 'x')], 100)
      block(500)
      await expect(reply).resolves.toEqual([Buffer.from('x')])
      const written = client.send([command('ECHO', 'y')], 100)
      await new Promise(setImmediate)
      block(500)
      await expect(written).resolves.toEqual([Buffer.from('y')])
    })
  })

  describe('lost connections', () => {
    it('rejects at once while Redis is down at boot, and recovers by itself', async () => {
      const port = await closedPort()
      const opened = open({ url: `redis://127.0.0.1:${port}` })
      const { client, events } = opened
      expect(client.ready).toBe(false)
      await expect(client.send([command('PING')])).rejects.toMatchObject({ code: 'CLIENT' })
      expect(await reasonNotReady(opened)).toMatchObject({
        code: 'CLIENT',
        message: expect.stringContaining('ECONNREFUSED'),
      })
      expect(events[0]).toEqual({ type: 'end', reason: expect.stringContaining('ECONNREFUSED') })
      expect(events.some(({ type }) => type === 'ready')).toBe(false)

      await start({ port })
      await client.waitUntilReady(ENOUGH_MS)
      expect(client.ready).toBe(true)
      expect(events.at(-1)).toEqual({ type: 'ready' })
      await expect(client.send([command('ECHO', 'x')])).resolves.toEqual([Buffer.from('x')])
    })

    it('rejects what is in flight when the connection is cut, and recovers', async () => {
      const { client, events } = open({ url: proxy.url })
      await client.waitUntilReady(ENOUGH_MS)
      const requested = proxy.nextRequest()
      // BLPOP would answer in 0 = never.
      const inFlight = client.send([command('INCR', 'a'), command('BLPOP', 'nothing', '0')])
      await requested
      const ended = nextEvent(client, 'end')
      proxy.cut()
      await expect(inFlight).rejects.toMatchObject({ code: 'CLIENT' })
      await ended
      expect(client.ready).toBe(false)
      await expect(client.send([command('PING')])).rejects.toMatchObject({ code: 'CLIENT' })
      await client.waitUntilReady(ENOUGH_MS)
      await expect(client.send([command('ECHO', 'x')])).resolves.toEqual([Buffer.from('x')])
      expect(events.map(({ type }) => type)).toEqual(['ready', 'end', 'ready'])
      // Not sent again: it may have run.
      expect(await server.command('GET', 'a')).toBe('1')
    })

    it('survives a server that is killed and comes back', async () => {
      const first = await start()
      const { client, events } = open({ url: first.url })
      await client.waitUntilReady(ENOUGH_MS)
      const ended = nextEvent(client, 'end')
      await first.stop()
      await ended
      await start({ port: first.port })
      await client.waitUntilReady(ENOUGH_MS)
      await expect(client.send([command('ECHO', 'x')])).resolves.toEqual([Buffer.from('x')])
      expect(events.filter(({ type }) => type === 'ready')).toHaveLength(2)
    })

    it('survives something that is not Redis', async () => {
      const web = createServer((socket) => {
        socket.on('error', () => {})
        socket.on('data', () => socket.write('HTTP/1.1 400 Bad Request\r\nConnection: keep-alive\r\n\r\n'))
      }).listen(0, '127.0.0.1')
      await once(web, 'listening')
      cleanups.push(() => web.close())
      const { client, events } = open({
        url: `redis://:hunter2@127.0.0.1:${(web.address() as AddressInfo).port}`,
        connectMs: 500,
      })
      await nextEvent(client, 'end')
      expect(client.ready).toBe(false)
      expect(inspect(events)).not.toContain('hunter2')
    })

    it.each([
      ['null', '$-1\r\n'],
      ['a list that is null', '*-1\r\n'],
      ['a text', '+OK\r\n'],
      ['an error', '-ERR who are you\r\n'],
      ['lists in lists, without end', '*1\r\n'.repeat(200_000)],
    ])('leaves a server that answers what nobody asked: %s', async (_, stray) => {
      const { client } = open({ url: await startTalker('+PONG\r\n', stray), connectMs: 500 })
      await nextEvent(client, 'end')
      // Neither the process nor the client ends with it.
      await nextEvent(client, 'end')
    })

    it('is not ready while the server says that it is not', async () => {
      const loading = await startTalker('-LOADING Redis is loading the dataset in memory\r\n')
      const opened = open({ url: loading })
      expect(await reasonNotReady(opened)).toMatchObject({ message: expect.stringContaining('LOADING') })
      await expect(opened.client.send([command('PING')])).rejects.toMatchObject({ code: 'CLIENT' })
    })

    it('does not repeat a password that the server quotes', async () => {
      const url = await startTalker("-ERR unknown command 'AUTH', with args beginning with: 'hunter2'\r\n")
      const opened = open({ url: url.replace('//', '//:hunter2@') })
      const failed = await reasonNotReady(opened)
      expect(failed).toMatchObject({ message: expect.stringContaining("beginning with: '***'") })
      expect(inspect([failed, opened.events])).not.toContain('hunter2')
    })

    it('does not wait longer than connectMs for a server that accepts and says nothing', async () => {
      proxy.pause()
      const { client, events } = open({ url: proxy.url, connectMs: 200 })
      await nextEvent(client, 'end')
      expect(events).toEqual([{ type: 'end', reason: expect.stringMatching(/within 200 ms/) }])
    })

    it('tells a listener about events until it leaves, and survives one that throws', async () => {
      const warned = once(process, 'warning')
      const { client, events } = open()
      const heard: string[] = []
      client.onEvent(() => {
        throw new Error('a bug in a listener')
      })
      const leave = client.onEvent(({ type }) => heard.push(type))
      await client.waitUntilReady(ENOUGH_MS)
      expect((await warned)[0]).toMatchObject({ message: 'a bug in a listener' })
      leave()
      await client.close()
      expect(heard).toEqual(['ready'])
      expect(events.map(({ type }) => type)).toEqual(['ready', 'end'])
    })
  })

  describe('addresses', () => {
    it('authenticates by password, and by user and password', async () => {
      const strict = await start({ args: ['--requirepass', 'p@ss/w#rd%'] })
      const secret = encodeURIComponent('p@ss/w#rd%')
      for (const userinfo of [`:${secret}`, `default:${secret}`]) {
        const client = await openReady({ url: `redis://${userinfo}@127.0.0.1:${strict.port}` })
        await expect(client.send([command('ECHO', 'x')])).resolves.toEqual([Buffer.from('x')])
      }
    })

    it.each([
      ['a wrong password', ':hunter2@', 'WRONGPASS'],
      ['an unknown user', 'nobody:hunter2@', 'WRONGPASS'],
      ['no password', '', 'NOAUTH'],
    ])('is never ready with %s, and says so', async (_what, userinfo, reply) => {
      const strict = await start({ args: ['--requirepass', 'secret'] })
      const opened = open({ url: `redis://${userinfo}127.0.0.1:${strict.port}` })
      const { client, events } = opened
      const failed = await reasonNotReady(opened)
      expect(failed).toMatchObject({ code: 'CLIENT', message: expect.stringContaining(reply) })
      await expect(client.send([command('PING')])).rejects.toMatchObject({ code: 'CLIENT' })
      expect(events.some(({ type }) => type === 'ready')).toBe(false)
      expect(inspect([failed, events])).not.toContain('hunter2')
    })

    it.each(['', ':secret@'])(
      'says that the server has no room for another client (%s)',
      async (userinfo) => {
        const password = userinfo === '' ? [] : ['--requirepass', 'secret']
        const full = await start({ args: ['--maxclients', '1', ...password] })
        const url = `redis://${userinfo}127.0.0.1:${full.port}`
        await openReady({ url })
        const { events } = open({ url })
        // An attempt whose greeting arrives after the server hung up learns no more than that.
        const reason = expect.stringContaining(
          'no room for another client (ERR max number of clients reached)',
        )
        await eventually(() => expect(events).toContainEqual({ type: 'end', reason }))
      },
    )

    it('does not mind a password that the server does not ask for', async () => {
      const client = await openReady({ url: server.url.replace('//', '//:needless@') })
      await expect(client.send([command('ECHO', 'x')])).resolves.toEqual([Buffer.from('x')])
    })

    it('needs no right but those of the commands it is given', async () => {
      await server.command('ACL', 'SETUSER', 'poor', 'on', '>pw', 'resetchannels', '~k', '-@all', '+get')
      cleanups.push(() => server.command('ACL', 'DELUSER', 'poor'))
      const client = await openReady({ url: server.url.replace('//', '//poor:pw@') })
      const replies = await client.send([command('GET', 'k'), command('GET', 'other')])
      expect(replies).toEqual([null, expect.objectContaining({ message: expect.stringMatching(/^NOPERM/) })])
    })

    it('uses the database of the URL, also after a reconnect', async () => {
      const client = await openReady({ url: `${proxy.url}/3` })
      await client.send([command('SET', 'where', 'first')])
      const ended = nextEvent(client, 'end')
      proxy.cut()
      await ended
      await client.waitUntilReady(ENOUGH_MS)
      await client.send([command('APPEND', 'where', ' and again')])
      const third = await openReady({ url: `${server.url}/3` })
      await expect(third.send([command('GET', 'where')])).resolves.toEqual([Buffer.from('first and again')])
      expect(await server.command('GET', 'where')).toBe(null)
    })

    it('is never ready with a database that does not exist', async () => {
      const opened = open({ url: `${server.url}/999` })
      expect(await reasonNotReady(opened)).toMatchObject({ message: expect.stringContaining('database 999') })
    })

    it('connects through a unix socket', async () => {
      for (const url of [server.socketPath, `unix://${server.socketPath}?db=1`]) {
        const client = await openReady({ url })
        await expect(client.send([command('ECHO', 'x')])).resolves.toEqual([Buffer.from('x')])
      }
    })

    it.skipIf(spawnSync('openssl', ['version']).status !== 0)(
      'speaks TLS, and checks the certificate',
      async () => {
        const { port, caFile } = await startTlsProxy()
        const opened = open({ url: `rediss://127.0.0.1:${port}` })
        expect(await reasonNotReady(opened)).toMatchObject({
          message: expect.stringMatching(/self-signed certificate/),
        })
        const script = `client.waitUntilReady(5000).then(() => client.send([{ args: ['ECHO', 'hello'] }]))
        .then(([reply]) => console.log(String(reply)))`
        const url = `rediss://localhost:${port}`
        expect(await runInChild(driver, script, { url, NODE_EXTRA_CA_CERTS: caFile })).toBe('hello')
      },
    )

    it('shows its name, whatever is in it', async () => {
      await openReady({ clientName: 'my app: replica 1' })
      expect(await server.command('CLIENT', 'LIST')).toContain('name=my-app:-replica-1 ')
    })

    it('refuses a URL that is none', () => {
      expect(() => open({ url: 'http://127.0.0.1' })).toThrow(/REDIS_URL is not a Redis URL/)
    })
  })

  describe('close', () => {
    it('rejects what is pending, and everything after it, and can be repeated', async () => {
      const client = await openReady({ url: proxy.url })
      const requested = proxy.nextRequest()
      const pending = client.send([command('BLPOP', 'nothing', '0')])
      await requested
      const { client: connecting } = open({ url: `redis://127.0.0.1:${await closedPort()}` })
      // Longer than this test may take: nothing but `close` may end it.
      const waiting = connecting.waitUntilReady(10 * ENOUGH_MS)
      await Promise.all([client.close(), client.close(), connecting.close()])
      await client.close()
      await expect(pending).rejects.toMatchObject({ code: 'CLOSED' })
      await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' })
      expect(client.ready).toBe(false)
      await expect(client.send([command('PING')])).rejects.toMatchObject({ code: 'CLOSED' })
      await expect(client.send([])).rejects.toMatchObject({ code: 'CLOSED' })
      await expect(client.waitUntilReady(ENOUGH_MS)).rejects.toMatchObject({ code: 'CLOSED' })
    })

    it('ends both connections, and those that are being dialled', async () => {
      const client = await openReady({ url: proxy.url })
      await subscribed(client, 'channel')
      expect(proxy.open).toBe(2)
      // One that has not begun to dial, and one that is just being accepted.
      const { client: dialling } = open({ url: proxy.url })
      await dialling.close()
      const accepted = proxy.nextConnection()
      const { client: connecting } = open({ url: proxy.url })
      await accepted
      await Promise.all([client.close(), connecting.close()])
      // Connections are accepted in order: once this one is, none of the others can still arrive.
      await (await openReady({ url: proxy.url })).close()
      await eventually(() => expect(proxy.open).toBe(0))
      const states: unknown[] = []
      await client
        .subscribe(
          'late',
          () => {},
          (live) => states.push(live),
        )
        .close()
      expect(states).toEqual([false])
    })

    const whileOpen = `client.subscribe('channel', () => {}, (live) => { if (live) console.log('live') })`
    it.each([
      ['is idle and never closed', whileOpen, 'live'],
      [
        'was closed',
        whileOpen.replace("console.log('live')", "client.close().then(() => console.log('closed'))"),
        'closed',
      ],
      ['never reached Redis', `client.onEvent(({ type }) => console.log(type))`, 'end'],
    ])('lets the process exit when it %s', async (what, script, output) => {
      const url = what === 'never reached Redis' ? `redis://127.0.0.1:${await closedPort()}` : server.url
      expect(
        await runInChild(driver, `client.waitUntilReady(300).catch(() => {}); ${script}`, { url }),
      ).toMatch(new RegExp(`^${output}`))
    })

    it('keeps the process for a reply that somebody waits for', async () => {
      const script = `client.waitUntilReady(5000).then(() => client.send([{ args: ['BLPOP', 'nothing', '0.3'] }]))
        .then((replies) => console.log(JSON.stringify(replies)))`
      expect(await runInChild(driver, script, { url: server.url })).toBe('[null]')
    })

    it('requires its own driver, by a literal that bundlers see', () => {
      const source = readFileSync(join(compiled, 'runtime', 'clients', `${driver}.js`), 'utf8')
      const modules = [...source.matchAll(/require\(["']([^."'][^"']*)["']\)/g)].map(([, name]) => name)
      expect(modules).toEqual([driver === 'ioredis' ? 'ioredis' : 'redis'])
    })
  })

  describe('subscriptions', () => {
    it('delivers payloads byte for byte, in order, over one connection for all channels', async () => {
      const client = await openReady({ url: proxy.url })
      const first = await subscribed(client, 'first')
      const second = await subscribed(client, 'second')
      expect(proxy).toMatchObject({ connections: 2, open: 2 })
      const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
      const replies = await client.send([
        command('PUBLISH', 'first', everyByte),
        command('PUBLISH', 'second', ''),
        command('PUBLISH', 'first', 'last'),
        command('PUBLISH', 'second', 'last'),
        command('PUBLISH', 'third', 'nobody listens'),
      ])
      expect(replies).toEqual([1, 1, 1, 1, 0])
      await eventually(() => expect([...first.messages, ...second.messages]).toHaveLength(4))
      expect(first.messages).toEqual([everyByte, Buffer.from('last')])
      expect(second.messages).toEqual([Buffer.alloc(0), Buffer.from('last')])
    })

    it('subscribes again after its connection was killed', async () => {
      const client = await openReady()
      const subscription = await subscribed(client, 'channel')
      for (let round = 1; round <= 2; round++) {
        await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
        await subscription.until(false)
        await subscription.until(true)
        await client.send([command('PUBLISH', 'channel', String(round))])
        await eventually(() => expect(subscription.messages.map(String).at(-1)).toBe(String(round)))
      }
      expect(client.ready).toBe(true)
      expect(subscription.messages).toHaveLength(2)
    })

    it('subscribes as soon as Redis is there', async () => {
      const port = await closedPort()
      const { client } = open({ url: `redis://127.0.0.1:${port}` })
      const subscription = subscribe(client, 'channel')
      await subscription.until(false)
      expect(subscription.reasons.at(-1)).toContain('ECONNREFUSED')
      await start({ port })
      await subscription.until(true)
    })

    it('notices a connection that died in silence', async () => {
      const { client } = open({ url: proxy.url, commandMs: 300 })
      const subscription = await subscribed(client, 'channel')
      proxy.pause()
      await subscription.until(false)
      expect(subscription.reasons.at(-1)).toContain('did not answer')
      proxy.resume()
      await subscription.until(true)
    })

    it('keeps a connection that is merely quiet', async () => {
      const { client } = open({ url: proxy.url, commandMs: 1_000, connectMs: 1_000 })
      const subscription = await subscribed(client, 'channel')
      await client.waitUntilReady(ENOUGH_MS)
      proxy.resetCounters()
      // Two questions whether anybody is there, and their answers.
      await eventually(() => expect(proxy.roundTrips).toBeGreaterThanOrEqual(2))
      await server.command('PUBLISH', 'channel', 'still here')
      await eventually(() => expect(subscription.messages.map(String)).toEqual(['still here']))
      expect(subscription.states).toEqual([true])
      expect(proxy.connections).toBe(0)
    })

    it('says why it may not subscribe, and works once it may', async () => {
      const user = ['ACL', 'SETUSER', 'deaf', 'on', '>pw', 'allkeys', '+@all'] as const
      await server.command(...user, 'resetchannels')
      cleanups.push(() => server.command('ACL', 'DELUSER', 'deaf'))
      const client = await openReady({ url: server.url.replace('//', '//deaf:pw@') })
      const subscription = subscribe(client, 'channel')
      await subscription.until(false)
      expect(subscription.reasons.at(-1)).toContain('NOPERM')
      expect(client.ready).toBe(true)
      await server.command(...user, '&channel')
      await subscription.until(true)
    })

    it('stops delivering when closed, and hangs up after the last one', async () => {
      const client = await openReady({ url: proxy.url })
      const first = await subscribed(client, 'channel')
      const second = await subscribed(client, 'channel')
      await first.close()
      await first.close()
      await client.send([command('PUBLISH', 'channel', 'x')])
      await eventually(() => expect(second.messages.map(String)).toEqual(['x']))
      expect(first.messages).toEqual([])
      await second.close()
      await eventually(() => expect(proxy.open).toBe(1))
      const third = await subscribed(client, 'channel')
      await client.send([command('PUBLISH', 'channel', 'y')])
      await eventually(() => expect(third.messages.map(String)).toEqual(['y']))
      expect(second.messages).toHaveLength(1)
    })
  })
})

function command(...args: [string, ...CommandArgument[]]): RedisCommand {
  return { key: undefined, args }
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code
}

function nextEvent(client: RedisClient, type: ConnectionEvent['type']): Promise<ConnectionEvent> {
  return new Promise((resolve) => {
    const leave = client.onEvent((event) => {
      if (event.type !== type) return
      leave()
      resolve(event)
    })
  })
}

interface TestSubscription {
  readonly messages: Buffer[]
  readonly states: boolean[]
  readonly reasons: (string | undefined)[]
  /** Resolves when the next state is, or the present state already is, this one. */
  until(live: boolean): Promise<void>
  close(): Promise<void>
}

function subscribe(client: RedisClient, channel: string): TestSubscription {
  const subscription = {
    messages: [] as Buffer[],
    states: [] as boolean[],
    reasons: [] as (string | undefined)[],
  }
  const waiting = new Set<() => void>()
  const { close } = client.subscribe(
    channel,
    (payload) => subscription.messages.push(payload),
    (live, reason) => {
      subscription.states.push(live)
      subscription.reasons.push(reason)
      for (const check of waiting) check()
    },
  )
  const until = (live: boolean): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (subscription.states.at(-1) !== live) return
        waiting.delete(check)
        resolve()
      }
      waiting.add(check)
      check()
    })
  return { ...subscription, until, close }
}

async function subscribed(client: RedisClient, channel: string): Promise<TestSubscription> {
  const subscription = subscribe(client, channel)
  await subscription.until(true)
  return subscription
}

/** For what happens elsewhere and announces itself nowhere. */
function eventually(assertion: () => void): Promise<void> {
  return vi.waitFor(assertion, { timeout: ENOUGH_MS })
}

function block(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
}

/** A port on which nothing listens. */
async function closedPort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}

/** A server that answers each command with the same line, and each write with one more; its URL. */
async function startTalker(line: string, more = ''): Promise<string> {
  const talker = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      for (const _command of chunk.toString().matchAll(/^\*/gm)) socket.write(line)
      socket.write(more)
    })
  }).listen(0, '127.0.0.1')
  await once(talker, 'listening')
  cleanups.push(() => talker.close())
  return `redis://127.0.0.1:${(talker.address() as AddressInfo).port}`
}

/** Ends TLS in front of the Redis server, with a certificate that nobody trusts by default. */
async function startTlsProxy(): Promise<{ port: number; caFile: string }> {
  const directory = mkdtempSync(join(tmpdir(), 'ndc-tls-'))
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }))
  const [keyFile, caFile] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  const request = [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-keyout',
    keyFile,
    '-out',
    caFile,
  ]
  execFileSync('openssl', [...request, ...names], { stdio: 'ignore' })
  const tls = createTlsServer({ key: readFileSync(keyFile), cert: readFileSync(caFile) }, (socket) => {
    const upstream = connectTcp(server.port, '127.0.0.1')
    socket.pipe(upstream).pipe(socket)
    for (const end of [socket, upstream]) end.on('error', () => {})
    socket.on('close', () => upstream.destroy())
  })
  tls.on('tlsClientError', () => {})
  tls.listen(0, '127.0.0.1')
  await once(tls, 'listening')
  cleanups.push(() => tls.close())
  return { port: (tls.address() as AddressInfo).port, caFile }
}

/** The adapters as they are shipped: CommonJS, by the real compiler. Below the project, to find the drivers. */
function compileClients(): string {
  const outDir = mkdtempSync(join(process.cwd(), 'node_modules', '.ndc-clients-'))
  const tsc = join(process.cwd(), 'node_modules', 'typescript', 'bin', 'tsc')
  const sources = ['ioredis', 'node-redis'].map((name) => join('runtime', 'clients', `${name}.ts`))
  const flags = [
    '--ignoreConfig',
    '--module',
    'node16',
    '--target',
    'es2022',
    '--types',
    'node',
    '--skipLibCheck',
  ]
  execFileSync(process.execPath, [tsc, ...flags, '--rootDir', '.', '--outDir', outDir, ...sources])
  return outDir
}

/** Runs a script with a `client` in a process of its own, which has to end by itself; its output. */
async function runInChild(
  driver: string,
  script: string,
  { url, ...env }: { url: string; [name: string]: string },
): Promise<string> {
  const module = JSON.stringify(join(compiled, 'runtime', 'clients', `${driver}.js`))
  const options = JSON.stringify({ url, connectMs: 5_000, commandMs: 5_000, clientName: 'child' })
  const source = `const client = require(${module}).createClient(${options}); ${script}`
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', source], {
    env: { ...process.env, ...env },
    timeout: 20_000,
    killSignal: 'SIGKILL',
  })
  return stdout.trim()
}
