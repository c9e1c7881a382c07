import { afterEach, describe, expect, test } from 'vitest'
import { type Fleet, startFleet } from '../support/e2e-fleet'
import { prepareApp } from '../support/e2e-tools'
import { cells } from './cells'

let fleet: Fleet | undefined
afterEach(async () => {
  await fleet?.stop()
  fleet = undefined
})

test.each(cells)('next build opens no connection to Redis, and ends: $name', async (cell) => {
  // prepareApp builds with a REDIS_URL that counts who comes, and waits for the end of the process.
  const app = await prepareApp(cell.choice)
  expect(app.redisConnections).toBe(0)
})

describe.each(cells.slice(0, 2))('without REDIS_URL: $name', (cell) => {
  test('starts, serves stock, and says so once', async () => {
    const app = await prepareApp(cell.choice)
    fleet = await startFleet()
    const standalone = await fleet.standalone(app, { readOnly: false })
    const a = await fleet.start({ name: 'a', app, standalone, env: { REDIS_URL: '' } })
    const first = await a.visit('/isr/x')
    expect([first.status, first.cache]).toEqual([200, 'MISS'])
    const second = await a.visit('/isr/x')
    expect([second.status, second.cache]).toEqual([200, 'HIT'])
    expect(second.facts).toEqual(first.facts)
    await fleet.origin.publish('x')
    await a.revalidateTag('content:x')
    expect((await a.visit('/isr/x')).facts['isr']?.version).toBe(2)
    const lines = a
      .output()
      .split('\n')
      .filter((line) => line.includes('next-distributed-cache'))
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain('neither DISTRIBUTED_CACHE_URL nor REDIS_URL is set')
    expect(await fleet.redis.command('DBSIZE')).toBe(0)
  })
})
