import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { type Fleet, type Replica, startFleet } from '../support/e2e-fleet'
import { control, prepareApp, until } from '../support/e2e-tools'
import { startRedis } from '../support/redis-server'
import { cells } from './cells'
import { routesOf } from './core/routes'

/** What a request may take while Redis does not answer: the budget of the runtime, and a slow machine. */
const PATIENCE_MS = 10_000

let fleet: Fleet | undefined
afterEach(async () => {
  await fleet?.stop()
  fleet = undefined
})

const linesOf = (replica: Replica) =>
  replica
    .output()
    .split('\n')
    .filter((line) => line.includes('next-distributed-cache'))

describe.each(cells.slice(0, 2))('$name', (cell) => {
  test('Redis is not there at boot, comes, goes and comes again: every request is answered', async () => {
    const app = await prepareApp(cell.choice)
    fleet = await startFleet()
    const standalone = await fleet.standalone(app)
    const { port } = fleet.redis
    await fleet.redis.stop()
    const a = await fleet.start({ name: 'a', app, standalone })
    const b = await fleet.start({ name: 'b', app, standalone })

    const visitAll = async (id: string) => {
      for (const route of routesOf(cell.variant))
        for (const replica of [a, b]) {
          const startedAt = performance.now()
          const answer = await replica.visit(route.path(id))
          expect(answer.status).toBe(200)
          expect(answer.facts[route.reader]?.version).toBe(1)
          expect(performance.now() - startedAt).toBeLessThan(PATIENCE_MS)
        }
    }
    const shares = async (id: string) => {
      let attempt = 0
      await until(
        async () => {
          const path = `/plain/${id}-${(attempt += 1)}`
          const onA = await a.visit(path)
          const onB = await b.visit(path)
          return onA.facts['plain']?.render === onB.facts['plain']?.render
        },
        { what: 'the replicas to share again', everyMs: 200 },
      )
    }

    await visitAll('absence')
    let redis = await startRedis({ port })
    try {
      await shares('came')
      await redis.stop()
      await visitAll('gone')
      redis = await startRedis({ port })
      await shares('came-again')
    } finally {
      await redis.stop()
    }
    // Bounded logs: a line for a state, not for a request.
    expect(linesOf(a).length).toBeLessThan(40)
  })

  test('an invalidation while Redis is away holds once it is back', async () => {
    const app = await prepareApp(cell.choice)
    fleet = await startFleet()
    const standalone = await fleet.standalone(app)
    const a = await fleet.start({ name: 'a', app, standalone })
    const b = await fleet.start({ name: 'b', app, standalone })
    await a.visit('/isr/x')
    await b.visit('/isr/x')
    const { origin, redis } = fleet
    // Frozen, not killed: the entry survives.
    redis.freeze()
    await origin.publish('x')
    await control(a.url, { action: 'revalidateTag', tag: 'content:x' })
    expect((await a.visit('/isr/x')).facts['isr']?.version).toBe(2)
    redis.unfreeze()
    await until(async () => (await b.visit('/isr/x')).facts['isr']?.version === 2, {
      what: 'version 2 on B',
      everyMs: 100,
    })
    expect((await a.visit('/isr/x')).facts['isr']?.version).toBe(2)
  })
})

describe.each(cells.slice(0, 1))('something is missing in standalone: $name', (cell) => {
  const missing = {
    'the router': '.next/distributed-cache/router.cjs',
    'the driver': `node_modules/${cell.driver}`,
    'what the driver needs': `node_modules/${cell.driver === 'ioredis' ? 'denque' : '@redis/client'}`,
  }

  test.each(Object.entries(missing))('%s: stock, with one loud line', async (_what, path) => {
    const app = await prepareApp(cell.choice)
    fleet = await startFleet()
    const standalone = await fleet.standalone(app, { readOnly: false })
    await rm(join(standalone, app.serverDirectory, path), { recursive: true })
    const a = await fleet.start({ name: 'a', app, standalone })
    for (const route of routesOf(cell.variant)) expect((await a.visit(route.path('x'))).status).toBe(200)
    expect((await a.visit('/isr/x')).cache).toBe('HIT')
    expect(linesOf(a)).toHaveLength(1)
    expect(linesOf(a)[0]).toContain('this replica shares nothing')
    expect(await fleet.redis.command('DBSIZE')).toBe(0)
  })
})
