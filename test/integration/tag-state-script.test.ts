import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RedisClient } from '../../runtime/clients/client'
import { runScript } from '../../runtime/store/script'
import { collectScript } from '../../runtime/store/scripts/collect'
import { invalidateScript } from '../../runtime/store/scripts/invalidate'
import { restoreInvalidationsScript } from '../../runtime/store/scripts/restore-invalidations'
import {
  applyInvalidation,
  formatTagRecord,
  judgeTag,
  mergeRecords,
  NO_RECORD,
  parseTagRecord,
  type TagRecord,
} from '../../src/tag-state'
import { type RedisServer, startRedis } from '../support/redis-server'
import { DRIVERS } from '../support/replicas'

const STATE = 'ndc:test:tags'

let redis: RedisServer
let client: RedisClient

beforeAll(async () => {
  redis = await startRedis()
  client = DRIVERS.ioredis({ url: redis.url, connectMs: 2000, commandMs: 2000, clientName: 'test' })
  await client.waitUntilReady(2000)
})
afterAll(async () => {
  await client.close()
  await redis.stop()
})

it('the script and the core agree on every record, whatever the sequence', async () => {
  const steps = fc.array(fc.option(fc.integer({ min: 0, max: 3000 }), { nil: undefined }), { maxLength: 10 })
  await fc.assert(
    fc.asyncProperty(steps, async (windows) => {
      await redis.command('DEL', STATE)
      let record = NO_RECORD
      for (const windowMicros of windows) {
        const window = windowMicros === undefined ? '' : String(windowMicros)
        const reply = await runScript(
          client,
          invalidateScript,
          [STATE],
          ['0', 'i', '60000', 'ndc:test:bus', '{}', ':t', window],
        )
        const [clock, now] = (reply as Buffer[]).map((part) => Number(part.toString()))
        record = applyInvalidation(record, clock as number, windowMicros, now as number)
        expect(await redis.command('HGET', STATE, ':t')).toBe(formatTagRecord(record))
      }
    }),
    { numRuns: 100 },
  )
})

it('several windows of one tag in one call: the script and the core agree', async () => {
  const steps = fc.array(fc.option(fc.integer({ min: 1, max: 3000 }), { nil: undefined }), {
    minLength: 1,
    maxLength: 6,
  })
  await fc.assert(
    fc.asyncProperty(steps, async (windows) => {
      await redis.command('DEL', STATE)
      const pairs = windows.flatMap((windowMicros) => [':t', String(windowMicros ?? '')])
      const { clock, now } = await invalidate(STATE, ...pairs)
      const record = windows.reduce<TagRecord>(
        (known, windowMicros) => applyInvalidation(known, clock, windowMicros, now),
        NO_RECORD,
      )
      expect(await redis.command('HGET', STATE, ':t')).toBe(formatTagRecord(record))
    }),
    { numRuns: 100 },
  )
})

it('more tags in one call than Lua takes apart at once: all of them are recorded', async () => {
  await redis.command('DEL', STATE)
  const tags = Array.from({ length: 9_000 }, (_, index) => `:t${index}`)
  const { clock } = await invalidate(STATE, ...tags.flatMap((tag) => [tag, '']))
  const records = (await redis.command('HMGET', STATE, ...tags)) as string[]
  expect(new Set(records)).toEqual(new Set([String(clock)]))
  expect(await redis.command('HGET', STATE, 'clock')).toBe(String(clock))
})

it('the clock only moves forward, also within one microsecond', async () => {
  const replies = await Promise.all(
    Array.from({ length: 500 }, () =>
      runScript(
        client,
        invalidateScript,
        ['ndc:test:fast'],
        ['0', 'i', '60000', 'ndc:test:bus', '{}', ':t', ''],
      ),
    ),
  )
  const clocks = replies.map((reply) => Number((reply as Buffer[])[0]?.toString()))
  expect(new Set(clocks).size).toBe(500)
  expect(clocks).toEqual([...clocks].sort((x, y) => x - y))
})

const numbersOf = (reply: unknown) => (reply as Buffer[]).map((part) => Number(part.toString()))
const serverNow = async () => {
  const [seconds, micros] = (await redis.command('TIME')) as string[]
  return Number(seconds) * 1_000_000 + Number(micros)
}
async function invalidate(key: string, ...pairs: string[]) {
  const args = ['0', 'i', '60000', 'ndc:test:bus', '{}', ...pairs]
  const [clock = 0, now = 0, damaged] = numbersOf(await runScript(client, invalidateScript, [key], args))
  return { clock, now, damaged }
}
async function restore(key: string, pairs: string[], floor = 0, floorIfLost = 0) {
  const args = ['ndc:test:bus', String(floor), String(floorIfLost), ...pairs]
  const [clock = 0, raised, damaged] = numbersOf(
    await runScript(client, restoreInvalidationsScript, [key], args),
  )
  return { clock, raised, damaged }
}

describe('restoring what was acknowledged', () => {
  // Clocks and deadlines around the present; a deadline never falls between a script and our look at it.
  const HOUR = 3_600_000_000
  const event = fc.record({ at: fc.integer({ min: 1, max: 9 }), window: fc.integer({ min: -2, max: 4 }) })
  const events = fc.array(event, { maxLength: 6 })

  it('raises a record to what both know, agrees with the core, and the second time changes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(events, events, async (there, remembered) => {
        await redis.command('DEL', 'ndc:test:state')
        const now = await serverNow()
        const recordOf = (list: readonly { at: number; window: number }[]) =>
          list.reduce<TagRecord>((record, { at, window }) => {
            const one = {
              hard: 0,
              soft: [{ clock: now - 20 + at, deadline: now + window * HOUR + HOUR / 2 }],
            }
            return mergeRecords(record, one, now)
          }, NO_RECORD)
        const [known, lost] = [recordOf(there), recordOf(remembered)]
        await redis.command('HSET', 'ndc:test:state', 'clock', now, 'floor', '0', 'incarnation', 'i')
        if (there.length > 0) await redis.command('HSET', 'ndc:test:state', ':t', formatTagRecord(known))
        const first = await restore('ndc:test:state', [':t', formatTagRecord(lost)])
        const stored = parseTagRecord(String((await redis.command('HGET', 'ndc:test:state', ':t')) ?? '0'))
        const merged = mergeRecords(known, lost, now)
        for (let fence = now - 20; fence <= now; fence++)
          for (const later of [0, 1, 2, 3, 4, 5]) {
            const judgedAt = now + later * HOUR
            const verdict = judgeTag(stored ?? NO_RECORD, fence, judgedAt)
            expect(verdict).toBe(judgeTag(merged, fence, judgedAt))
          }
        expect(first.clock > now).toBe(first.raised === 1)
        expect(await restore('ndc:test:state', [':t', formatTagRecord(lost)])).toEqual({
          clock: first.clock,
          raised: 0,
          damaged: 0,
        })
      }),
      { numRuns: 60, seed: 4 },
    )
  })

  it('says so on the bus only when something was lost', async () => {
    const { clock } = await invalidate('ndc:test:quiet', ':t', '')
    await redis.command('HSET', 'ndc:test:quiet', 'floor', '0')
    const heard: string[] = []
    const subscription = await new Promise<{ close(): Promise<void> }>((resolve) => {
      const opened = client.subscribe(
        'ndc:test:bus',
        (payload) => heard.push(payload.toString()),
        (live) => live && resolve(opened),
      )
    })
    expect(await restore('ndc:test:quiet', [':t', String(clock)], clock - 5)).toMatchObject({ raised: 0 })
    expect(await restore('ndc:test:quiet', [':t', String(clock)], clock - 5)).toMatchObject({ raised: 0 })
    const restored = await restore('ndc:test:quiet', [':u', String(clock - 1)])
    expect(restored.raised).toBe(1)
    await expect.poll(() => heard.at(-1), { timeout: 10_000 }).toBe(`restore ${restored.clock}`)
    // The floor had been acknowledged, and was not known either.
    expect(heard).toHaveLength(2)
    await subscription.close()
  })

  it('raises the floor to what was forgotten only if something was lost', async () => {
    const { clock } = await invalidate('ndc:test:floors', ':t', '')
    const [before] = (await redis.command('HMGET', 'ndc:test:floors', 'floor')) as string[]
    await restore('ndc:test:floors', [':t', String(clock)], 0, clock)
    expect(await redis.command('HGET', 'ndc:test:floors', 'floor')).toBe(before)
    await invalidate('ndc:test:floors', ':x', '')
    await restore('ndc:test:floors', [':u', String(clock + 1)], 0, clock)
    expect(await redis.command('HGET', 'ndc:test:floors', 'floor')).toBe(String(clock))
  })

  it('the clock is never behind what was restored', async () => {
    const { clock } = await invalidate('ndc:test:behind', ':t', '')
    const restored = await restore('ndc:test:behind', [':u', String(clock + 3_600_000_000)])
    expect(restored.clock).toBe(clock + 3_600_000_000)
    expect(await redis.command('HGET', 'ndc:test:behind', 'clock')).toBe(String(restored.clock))
  })

  it('where there is no state, or another type, it leaves that to whoever makes it anew', async () => {
    expect(await restore('ndc:test:missing', [':t', '5'])).toEqual({ clock: 0, raised: 0, damaged: 0 })
    expect(await redis.command('EXISTS', 'ndc:test:missing')).toBe(0)
    await redis.command('SET', 'ndc:test:text', 'x')
    expect(await restore('ndc:test:text', [':t', '5'])).toEqual({ clock: 0, raised: 0, damaged: 0 })
  })
})

describe('damaged records', () => {
  const garbage = [
    '',
    ' ',
    'nonsense',
    '1 2',
    '1  2',
    '-1',
    '1e3',
    '0x10',
    '5 9',
    '9'.repeat(17),
    '1 2 3 4 5 6 7 8 9 10 11',
  ]
  const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))

  it.each(garbage)('%j is counted, and hard at the moment of a soft invalidation', async (text) => {
    await invalidate('ndc:test:damaged', ':other', '')
    await redis.command('HSET', 'ndc:test:damaged', ':t', text)
    const { clock, damaged } = await invalidate('ndc:test:damaged', ':t', '5000000')
    expect(damaged).toBeGreaterThanOrEqual(1)
    expect(await redis.command('HGET', 'ndc:test:damaged', ':t')).toBe(String(clock))
  })

  it('any bytes: each script works, and the record can be read afterwards', async () => {
    await fc.assert(
      fc.asyncProperty(bytes, fc.boolean(), async (record, isSoft) => {
        await invalidate('ndc:test:fuzz', ':other', '')
        await redis.command('HSET', 'ndc:test:fuzz', ':t', record)
        const { clock } = await invalidate('ndc:test:fuzz', ':u', isSoft ? '1000' : '')
        await restore('ndc:test:fuzz', [':t', String(clock)])
        await invalidate('ndc:test:fuzz', ':t', isSoft ? '5000000' : '')
        const text = String(await redis.command('HGET', 'ndc:test:fuzz', ':t'))
        expect(parseTagRecord(text)).toBeDefined()
      }),
      { numRuns: 200, seed: 4 },
    )
  })

  it('heals where chance looks for old records', async () => {
    await invalidate('ndc:test:heal', ':other', '')
    await redis.command('HSET', 'ndc:test:heal', ':t', 'nonsense', 'keep', String(3_600_000_000))
    const reply = numbersOf(await runScript(client, collectScript, ['ndc:test:heal'], ['100']))
    expect(reply).toEqual([2, 0, 1])
    const [clock, healed] = (await redis.command('HMGET', 'ndc:test:heal', 'clock', ':t')) as string[]
    expect(healed).toBe(clock)
  })
})
