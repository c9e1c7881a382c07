import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { withBreaker } from '../../runtime/clients/breaker'
import type {
  CircuitChange,
  ConnectionEvent,
  RedisClient,
  RedisCommand,
  RedisReply,
} from '../../runtime/clients/client'
import { DistributedCacheError } from '../../src/errors'

const COMMAND_MS = 500
const GET: readonly RedisCommand[] = [{ key: 'k', args: ['GET', 'k'] }]

let isReady: boolean
let tell: (event: ConnectionEvent) => void
/** Names of the commands that reached the server. */
let sent: string[]
let answer: (name: string) => RedisReply | 'nothing'
let events: ConnectionEvent[]
let changes: CircuitChange[]
let breaker: RedisClient

const inner: RedisClient = {
  get ready() {
    return isReady
  },
  laneOf: () => '',
  waitUntilReady: () => Promise.reject(new Error('not asked of it')),
  send(commands, timeoutMs = COMMAND_MS) {
    const [name] = commands[0]!.args
    sent.push(name)
    const reply = answer(name)
    if (reply !== 'nothing') return Promise.resolve([reply])
    return new Promise((_resolve, reject) =>
      setTimeout(() => reject(new DistributedCacheError('TIMEOUT', 'no answer')), timeoutMs),
    )
  },
  onEvent(listener) {
    tell = listener
    return () => {}
  },
  subscribe: () => ({ close: () => Promise.resolve() }),
  close: () => Promise.resolve(),
}

const ask = (timeoutMs?: number) => breaker.send(GET, timeoutMs)
const outcome = (promise: Promise<unknown>) =>
  promise.then(
    () => 'answered',
    (error: DistributedCacheError) => error.code,
  )
function connect(): void {
  isReady = true
  tell({ type: 'ready' })
}
function disconnect(reason = 'gone'): void {
  isReady = false
  tell({ type: 'end', reason })
}
/** Three commands at once, none of which is answered. */
async function hang(): Promise<void> {
  answer = () => 'nothing'
  const asked = [ask(), ask(), ask()].map(outcome)
  await vi.advanceTimersByTimeAsync(COMMAND_MS)
  expect(await Promise.all(asked)).toEqual(['TIMEOUT', 'TIMEOUT', 'TIMEOUT'])
}

beforeEach(() => {
  vi.useFakeTimers()
  isReady = false
  sent = []
  events = []
  changes = []
  answer = () => Buffer.from('OK')
  breaker = withBreaker(inner, { commandMs: COMMAND_MS, onChange: (change) => changes.push(change) })
  breaker.onEvent((event) => events.push(event))
})
afterEach(async () => {
  await breaker.close()
  // What was under way has its own timeout; nothing comes after it.
  await vi.advanceTimersByTimeAsync(COMMAND_MS)
  expect(vi.getTimerCount()).toBe(0)
  vi.restoreAllMocks()
  vi.useRealTimers()
})

describe('closed', () => {
  it('passes everything on, and the first connection needs no probe', async () => {
    connect()
    expect(breaker.ready).toBe(true)
    expect(events).toEqual([{ type: 'ready' }])
    expect(await outcome(ask())).toBe('answered')
    expect(sent).toEqual(['GET'])
  })

  it('error replies are answers', async () => {
    connect()
    answer = () => new Error('OOM command not allowed')
    for (let i = 0; i < 10; i++) await ask()
    expect(breaker.ready).toBe(true)
  })

  it('an answer between timeouts keeps it closed', async () => {
    connect()
    for (let i = 0; i < 6; i++) {
      answer = () => (i % 3 === 2 ? null : 'nothing')
      const asked = outcome(ask())
      await vi.advanceTimersByTimeAsync(COMMAND_MS)
      await asked
    }
    expect(changes).toEqual([])
  })

  it('what was given too little time proves nothing', async () => {
    connect()
    answer = () => 'nothing'
    for (let i = 0; i < 10; i++) {
      const asked = outcome(ask(5))
      await vi.advanceTimersByTimeAsync(5)
      expect(await asked).toBe('TIMEOUT')
    }
    expect(changes).toEqual([])
  })
})

describe('open', () => {
  it('after three timeouts: sends nothing but probes, and refuses with one error', async () => {
    connect()
    await hang()
    expect(events.at(-1)).toEqual({ type: 'end', reason: 'Redis does not answer' })
    sent = []
    const errors = new Set<unknown>()
    for (let i = 0; i < 1_000; i++) errors.add(await ask().catch((error: unknown) => error))
    expect(errors.size).toBe(1)
    expect(sent).toEqual([])
    await vi.advanceTimersByTimeAsync(60_000)
    expect(new Set(sent)).toEqual(new Set(['PING']))
    // Each takes 500 ms to fail, and the next one comes 1 to 2 s later.
    expect(sent.length).toBeGreaterThan(20)
    expect(sent.length).toBeLessThan(50)
    expect(changes.map(({ state }) => state)).toEqual(['open'])
  })

  it('closes by itself, and says what it cost', async () => {
    connect()
    await hang()
    await outcome(ask())
    answer = () => Buffer.from('PONG')
    await vi.advanceTimersByTimeAsync(10_000)
    expect(breaker.ready).toBe(true)
    expect(events.at(-1)).toEqual({ type: 'ready' })
    expect(changes.map(({ state, refused }) => [state, refused])).toEqual([
      ['open', 0],
      ['closed', 1],
    ])
  })

  it('half open: one timeout opens it again, one answer makes it whole', async () => {
    connect()
    await hang()
    answer = (name) => (name === 'PING' ? Buffer.from('PONG') : 'nothing')
    await vi.advanceTimersByTimeAsync(1_000)
    expect(breaker.ready).toBe(true)
    const asked = outcome(ask())
    await vi.advanceTimersByTimeAsync(COMMAND_MS)
    await asked
    expect(breaker.ready).toBe(false)
    answer = () => null
    await vi.advanceTimersByTimeAsync(2_000)
    await ask()
    answer = () => 'nothing'
    const again = [ask(), ask()].map(outcome)
    await vi.advanceTimersByTimeAsync(COMMAND_MS)
    await Promise.all(again)
    expect(breaker.ready).toBe(true)
  })

  it('a server that answers PING and nothing else is asked less and less often', async () => {
    connect()
    answer = (name) => (name === 'PING' ? Buffer.from('PONG') : 'nothing')
    breaker.onEvent((event) => {
      if (event.type === 'ready') void outcome(ask())
    })
    await hang()
    answer = (name) => (name === 'PING' ? Buffer.from('PONG') : 'nothing')
    await vi.advanceTimersByTimeAsync(60_000)
    expect(sent.filter((name) => name === 'PING').length).toBeLessThan(50)
  })

  it('the next outage is probed as soon as the first one', async () => {
    connect()
    await hang()
    await vi.advanceTimersByTimeAsync(30_000)
    answer = () => null
    await vi.advanceTimersByTimeAsync(3_000)
    await ask()
    await hang()
    sent = []
    await vi.advanceTimersByTimeAsync(50)
    expect(sent).toEqual(['PING'])
  })

  it('a server that is loading or busy is not back', async () => {
    connect()
    await hang()
    answer = () => new Error('LOADING Redis is loading the dataset in memory')
    await vi.advanceTimersByTimeAsync(10_000)
    expect(breaker.ready).toBe(false)
    answer = () => new Error('NOPERM this user has no permissions to run PING')
    await vi.advanceTimersByTimeAsync(10_000)
    expect(breaker.ready).toBe(true)
  })

  it('replicas do not probe in step', async () => {
    const delays = new Set<number>()
    const timers = vi.spyOn(globalThis, 'setTimeout')
    connect()
    await hang()
    await vi.advanceTimersByTimeAsync(30_000)
    for (const [, ms] of timers.mock.calls) if (ms !== COMMAND_MS) delays.add(ms as number)
    expect(delays.size).toBeGreaterThan(10)
    expect(Math.max(...delays)).toBeLessThanOrEqual(2_000)
  })
})

describe('a connection that is lost', () => {
  it('opens it at once, and nothing is sent until a probe of the new one is answered', async () => {
    connect()
    disconnect()
    expect(changes.map(({ state }) => state)).toEqual(['open'])
    expect(await outcome(ask())).toBe('CLIENT')
    await vi.advanceTimersByTimeAsync(60_000)
    expect(sent).toEqual([])
    breaker.onEvent((event) => {
      // What the store does on a new connection.
      if (event.type === 'ready') void breaker.send([{ key: undefined, args: ['EVALSHA'] }])
    })
    connect()
    expect(breaker.ready).toBe(false)
    await vi.advanceTimersByTimeAsync(0)
    await ask()
    expect(sent).toEqual(['PING', 'EVALSHA', 'GET'])
  })

  it('says so once, and then why it is not back yet', async () => {
    connect()
    disconnect('first')
    disconnect('second')
    disconnect('third')
    expect(events.filter(({ type }) => type === 'end').length).toBe(1)
    await expect(ask()).rejects.toThrow('third')
  })

  it('whoever waits for it is served when it is usable, or told', async () => {
    const early = outcome(breaker.waitUntilReady(1_000))
    disconnect('refused')
    const late = breaker.waitUntilReady(100)
    const refused = expect(late).rejects.toThrow('refused')
    await vi.advanceTimersByTimeAsync(100)
    await refused
    connect()
    await vi.advanceTimersByTimeAsync(0)
    expect(await early).toBe('answered')
    disconnect()
    const closed = outcome(breaker.waitUntilReady(1_000))
    await breaker.close()
    expect(await closed).toBe('CLOSED')
  })
})

it('what the breaker of one node refuses does not open that of a whole client', async () => {
  const whole: RedisClient = {
    ...inner,
    ready: true,
    send: (commands, timeoutMs) => breaker.send(commands, timeoutMs),
    onEvent: () => () => {},
  }
  const outer = withBreaker(whole, { commandMs: COMMAND_MS })
  connect()
  await hang()
  for (let i = 0; i < 10; i++) expect(await outcome(outer.send(GET))).toBe('CLIENT')
  expect(outer.ready).toBe(true)
  await outer.close()
})
