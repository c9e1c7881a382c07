import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { RedisClient } from '../../runtime/clients/client'
import { runScript } from '../../runtime/store/script'
import { invalidateScript } from '../../runtime/store/scripts/invalidate'
import { applyInvalidation, formatTagRecord, NO_RECORD } from '../../src/tag-state'
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
