import { stat } from 'node:fs/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ConnectionEvent, RedisReply } from '../../runtime/clients/client'
import { openConnection, retryDelayMs, type Connection } from '../../runtime/clients/connection'
import type { Link, LinkEvents } from '../../runtime/clients/link'
import { targetOf } from '../support/redis-target'

// What a real Redis cannot be made to do at will; the rest is in the conformance suite.

interface FakeLink extends Link {
  readonly events: LinkEvents
  destroyed: boolean
}

let links: FakeLink[]
let events: ConnectionEvent[]
let connection: Connection
/** What the server says to everything but the greeting. */
let answer: () => Promise<RedisReply>

function openLink(_target: unknown, _connectMs: number, linkEvents: LinkEvents): Link {
  const ok = Promise.resolve(Buffer.from('OK'))
  const link: FakeLink = {
    events: linkEvents,
    destroyed: false,
    write: (commands) =>
      Promise.all(commands.map(({ args: [name] }) => (name === 'CLIENT' || name === 'PING' ? ok : answer()))),
    ping: () => ok,
    subscribe: () => Promise.resolve(),
    destroy() {
      link.destroyed = true
    },
  }
  links.push(link)
  return link
}

async function ready(): Promise<void> {
  links.at(-1)?.events.onOpen()
  await connection.waitUntilReady(1_000)
}

/** Lets time pass until the next dial; the time that took, in milliseconds. */
async function untilDialled(): Promise<number> {
  const { length } = links
  let waitedMs = 0
  for (; links.length === length; waitedMs++) await vi.advanceTimersByTimeAsync(1)
  return waitedMs
}

const settings = {
  target: targetOf('redis://cache'),
  connectMs: 1_000,
  commandMs: 500,
  clientName: 'test',
}
const ask = (timeoutMs = 500): Promise<RedisReply[]> =>
  connection.send([{ key: undefined, args: ['GET', 'key'] }], timeoutMs)
const never = (): Promise<never> => new Promise(() => {})

beforeEach(() => {
  vi.useFakeTimers()
  links = []
  events = []
  answer = () => Promise.resolve(null)
  connection = openConnection(openLink, settings, { onEvent: (event) => events.push(event) })
})
afterEach(() => {
  connection.close()
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

describe('a server that has become read-only', () => {
  const readOnly = [
    "READONLY You can't write against a read only replica.",
    "ERR Error running script: @user_script: 1: -READONLY You can't write against a read only replica.",
  ]
  it.each(readOnly)('is left for the new primary, not at once but soon: %s', async (message) => {
    await ready()
    const refused = new Error(message)
    answer = () => Promise.resolve(refused)
    await expect(ask()).resolves.toEqual([refused])
    expect(events).toEqual([{ type: 'ready' }])
    await vi.advanceTimersByTimeAsync(5_001)
    await expect(ask()).resolves.toEqual([refused])
    expect(events.at(-1)).toEqual({ type: 'end', reason: expect.stringContaining('read-only') })
    await vi.advanceTimersByTimeAsync(50)
    expect(links).toHaveLength(2)
  })
})

describe('silence', () => {
  it('counts from the last reply, not from the first question', async () => {
    await ready()
    let reply: (value: RedisReply) => void = () => {}
    const replyLater = (): Promise<RedisReply> => new Promise((resolve) => (reply = resolve))
    answer = replyLater
    for (let round = 0; round < 10; round++) {
      const asked = ask(900)
      await vi.advanceTimersByTimeAsync(800)
      reply(round)
      await expect(asked).resolves.toEqual([round])
    }
    expect(events).toEqual([{ type: 'ready' }])
  })

  it('gives a batch with a long timeout its time', async () => {
    await ready()
    answer = never
    const patient = ask(3_000).catch((error: unknown) => error)
    const impatient = ask().catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(2_999)
    // Answers come in order: the silence may be the first batch's alone.
    await expect(impatient).resolves.toMatchObject({ code: 'TIMEOUT' })
    expect(connection.ready).toBe(true)
    await vi.advanceTimersByTimeAsync(2)
    await expect(patient).resolves.toMatchObject({ code: 'TIMEOUT' })
    await vi.advanceTimersByTimeAsync(3_000)
    expect(events.at(-1)).toEqual({ type: 'end', reason: expect.stringContaining('did not answer anything') })
    expect(links[0]).toMatchObject({ destroyed: true })
  })

  it('is watched for without keeping what was answered', async () => {
    await ready()
    // Until nobody watches for silence any more: the next question is watched.
    await vi.advanceTimersByTimeAsync(10_000)
    const asked = async (): Promise<WeakRef<Buffer>> => {
      answer = async () => Buffer.alloc(128 * 1024)
      const [reply] = await ask()
      answer = never
      return new WeakRef(reply as Buffer)
    }
    const reply = await asked()
    expect(vi.getTimerCount()).toBe(1)
    setFlagsFromString('--expose-gc')
    for (let turn = 0; turn < 10 && reply.deref() !== undefined; turn++) {
      // What was looked at lives until the turn is over.
      await stat('.')
      ;(runInNewContext('gc') as () => void)()
    }
    expect(reply.deref()).toBeUndefined()
  })

  it('is not noticed while nothing was asked', async () => {
    await ready()
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect(events).toEqual([{ type: 'ready' }])
  })
})

describe('dialling again', () => {
  it('slows down to two seconds, with jitter, and never stops', async () => {
    for (let failures = 0; failures < 2_000; failures = failures * 2 + 1) {
      const ceiling = Math.min(2_000, 50 * 2 ** failures)
      for (let sample = 0; sample < 50; sample++) {
        expect(retryDelayMs(failures)).toBeGreaterThanOrEqual(ceiling / 2)
        expect(retryDelayMs(failures)).toBeLessThanOrEqual(ceiling)
      }
    }
    for (let attempt = 0; attempt < 30; attempt++) {
      links.at(-1)?.events.onEnd('refused')
      expect(await untilDialled()).toBeLessThanOrEqual(2_000)
    }
    await ready()
  })

  it('dials a server that refuses about forty times a minute, one socket at a time', async () => {
    for (let ms = 0; ms < 60_000; ms += 25) {
      const [last, ...before] = links.toReversed()
      expect(before.every(({ destroyed }) => destroyed)).toBe(true)
      if (last?.destroyed === false) last.events.onEnd('connect ECONNREFUSED')
      await vi.advanceTimersByTimeAsync(25)
    }
    expect(links.length).toBeGreaterThan(25)
    expect(links.length).toBeLessThan(70)
  })

  it('gives up a dial that leads nowhere', async () => {
    await vi.advanceTimersByTimeAsync(1_001)
    expect(events).toEqual([{ type: 'end', reason: expect.stringContaining('within 1000 ms') }])
    expect(links[0]).toMatchObject({ destroyed: true })
    await untilDialled()
    await ready()
  })

  it('stays slow for a server that accepts and hangs up, and is fast again after a good while', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1)
    const delayAfterEnd = (): Promise<number> => {
      links.at(-1)?.events.onEnd('hung up')
      return untilDialled()
    }
    const delays: number[] = []
    for (let attempt = 0; attempt < 4; attempt++) {
      await ready()
      delays.push(await delayAfterEnd())
    }
    await ready()
    await vi.advanceTimersByTimeAsync(2_001)
    delays.push(await delayAfterEnd())
    expect(delays).toEqual([50, 100, 200, 400, 50])
  })

  it('goes on when the driver throws', async () => {
    connection.close()
    const broken = openConnection(
      () => {
        throw new Error('no such option')
      },
      settings,
      { onEvent: (event) => events.push(event) },
    )
    events.length = 0
    await vi.advanceTimersByTimeAsync(500)
    expect(events.length).toBeGreaterThan(2)
    expect(events[0]).toEqual({ type: 'end', reason: expect.stringContaining('no such option') })
    broken.close()
  })

  it('hears only the first end of a link, and nothing after it', async () => {
    await ready()
    const [first] = links
    first?.events.onEnd('one')
    first?.events.onEnd('two')
    first?.events.onOpen()
    await vi.advanceTimersByTimeAsync(60)
    await ready()
    expect(events.map(({ type }) => type)).toEqual(['ready', 'end', 'ready'])
  })
})
