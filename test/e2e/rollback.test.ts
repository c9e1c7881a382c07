import { afterEach, describe, expect, test } from 'vitest'
import { type Fleet, type Replica, startFleet } from '../support/e2e-fleet'
import { type PreparedApp, prepareApp } from '../support/e2e-tools'
import { cells, findCell } from './cells'

const OFF = { DISTRIBUTED_CACHE: 'off' }
const ON = { DISTRIBUTED_CACHE: 'on' }
const DEAF = { DISTRIBUTED_CACHE: 'off', REDIS_URL: '' }

let fleet: Fleet | undefined
afterEach(async () => {
  await fleet?.stop()
  fleet = undefined
})

interface Stage {
  readonly fleet: Fleet
  readonly app: PreparedApp
  /** Starts a replica, always of the same name's own copy of the artefact. */
  start(name: string, env: Readonly<Record<string, string>>): Promise<Replica>
  /** The names of the keys that are not tag state. */
  entries(): Promise<string[]>
}

async function setUp(cell: (typeof cells)[number]): Promise<Stage> {
  const app = await prepareApp(cell.choice)
  const started = await startFleet()
  fleet = started
  const copies = new Map<string, string>()
  return {
    fleet: started,
    app,
    async start(name, env) {
      // Writable, as stock wants it: it keeps pages on its disk.
      const standalone = copies.get(name) ?? (await started.standalone(app, { readOnly: false }))
      copies.set(name, standalone)
      return started.start({ name, app, standalone, env })
    },
    async entries() {
      const keys = (await started.redis.command('KEYS', '*')) as string[]
      return keys.filter((key) => key !== `${cell.keyPrefix}:tags`)
    },
  }
}

/** Its version, and what Next says about it. */
async function page(replica: Replica, id: string) {
  const { cache, facts } = await replica.visit(`/isr/${id}`)
  return { cache, version: facts['isr']?.version }
}

// Of each variant, the application that had no handlers of its own: off is stock.
const stockCells = (['components', 'classic'] as const).flatMap((variant) => {
  const cell = cells.find((each) => each.variant === variant && !each.hadHandlers)
  return cell === undefined ? [] : [cell]
})

describe.each(stockCells)('one artefact, off and on: $name', (cell) => {
  test('off, on, off, on: stock really caches, and what was invalidated while off is not resurrected', async () => {
    const { fleet, start, entries } = await setUp(cell)
    const { origin } = fleet

    // Off: the caches of Next.js, although a memory size of 0 is baked into the build.
    let a = await start('a', OFF)
    expect(a.output()).toMatch(
      /\[next-distributed-cache\] off \(DISTRIBUTED_CACHE=off\): the cache handlers of Next\.js/,
    )
    expect((await a.visit('/isr/p1')).cache).toBe('HIT')
    expect(await page(a, 'x')).toEqual({ cache: 'MISS', version: 1 })
    expect(await page(a, 'x')).toEqual({ cache: 'HIT', version: 1 })
    const functions = ['fetch', 'memo', ...(cell.variant === 'components' ? ['local', 'remote'] : [])]
    for (const reader of functions) {
      const first = await a.visit(`/${reader}/x`)
      expect((await a.visit(`/${reader}/x`)).facts[reader]?.serial).toBe(first.facts[reader]?.serial)
    }
    const route = await a.visit('/api/cached/x')
    expect((await a.visit('/api/cached/x')).json).toEqual(route.json)
    await origin.publish('x')
    await a.revalidateTag('content:x')
    expect(await page(a, 'x')).toEqual({ cache: 'MISS', version: 2 })
    expect(await entries()).toEqual([])
    await a.stop()

    // On: the runtime, with nothing of what stock had.
    a = await start('a', ON)
    expect(a.output()).toMatch(/\[next-distributed-cache\] on: [\w-]+ preset/)
    let b = await start('b', ON)
    for (const id of ['x', 'soft', 'same']) {
      expect(await page(a, id)).toMatchObject({ cache: 'MISS' })
      expect(await page(b, id)).toMatchObject({ cache: 'HIT' })
    }
    for (const reader of functions) await a.visit(`/${reader}/x`)
    const same = (await a.visit('/isr/same')).facts['isr']
    await a.stop()
    await b.stop()

    // Off: it hears of changes, and tells the fleet that is to come.
    a = await start('a', OFF)
    expect(await origin.publish('x')).toBe(3)
    await origin.publish('soft')
    await a.revalidateTag('content:x')
    await a.revalidateTag('content:soft', 'max')
    expect(await page(a, 'x')).toMatchObject({ version: 3 })
    await a.stop()

    // On: nothing of before; what nobody touched is still there.
    a = await start('a', ON)
    b = await start('b', ON)
    expect(await page(b, 'x')).toEqual({ cache: 'MISS', version: 3 })
    expect(await page(a, 'x')).toMatchObject({ version: 3 })
    for (const reader of functions) expect((await b.visit(`/${reader}/x`)).facts[reader]?.version).toBe(3)
    expect(await page(b, 'soft')).toEqual({ cache: 'STALE', version: 1 })
    expect((await b.visit('/isr/same')).facts['isr']).toEqual(same)
  })

  test('off without a URL for a while: the next on believes nothing of before', async () => {
    const { fleet, start } = await setUp(cell)
    let a = await start('a', ON)
    for (const id of ['x', 'same']) await page(a, id)
    const same = (await a.visit('/isr/same')).facts['isr']
    await a.stop()

    a = await start('a', DEAF)
    await fleet.origin.publish('x')
    await a.revalidateTag('content:x')
    await a.stop()
    // As if it had been off for a minute: the mark that the last living replica left grows old.
    const state = `${cell.keyPrefix}:tags`
    const alive = Number(await fleet.redis.command('HGET', state, 'alive'))
    expect(alive).toBeGreaterThan(0)
    await fleet.redis.command('HSET', state, 'alive', alive - 60_000_000)

    a = await start('a', ON)
    expect(await page(a, 'x')).toEqual({ cache: 'MISS', version: 2 })
    const again = await a.visit('/isr/same')
    expect(again.cache).toBe('MISS')
    expect(again.facts['isr']).not.toEqual(same)
  })

  test('a fleet in which the flag is being rolled out: the off replica is stock, and heard by the others', async () => {
    const { fleet, start, entries } = await setUp(cell)
    const { origin } = fleet
    const off = await start('off', OFF)
    expect(await page(off, 'before')).toEqual({ cache: 'MISS', version: 1 })
    expect(await entries()).toEqual([])
    const a = await start('a', ON)
    const b = await start('b', ON)
    const functions = ['fetch', 'memo', ...(cell.variant === 'components' ? ['local', 'remote'] : [])]
    for (const id of ['hard', 'soft', 'path']) {
      await page(a, id)
      await page(off, id)
      await origin.publish(id)
    }
    for (const reader of functions) await a.visit(`/${reader}/hard`)
    await fleet.settled()
    const stored = await entries()

    await off.revalidateTag('content:hard')
    expect(await page(b, 'hard')).toEqual({ cache: 'MISS', version: 2 })
    expect(await page(a, 'hard')).toEqual({ cache: 'HIT', version: 2 })
    expect(await page(off, 'hard')).toEqual({ cache: 'MISS', version: 2 })
    for (const reader of functions) expect((await b.visit(`/${reader}/hard`)).facts[reader]?.version).toBe(2)

    await off.revalidateTag('content:soft', 'max')
    expect(await page(b, 'soft')).toEqual({ cache: 'STALE', version: 1 })

    await off.control({ action: 'revalidatePath', path: '/isr/path' })
    expect(await page(b, 'path')).toMatchObject({ version: 2 })

    await origin.publish('acted')
    await a.visit('/actions/acted')
    await origin.publish('acted')
    await off.postAction('/actions/acted', 'updateTag', { tag: 'content:acted' })
    expect((await b.visit('/actions/acted')).facts['actions']?.version).toBe(3)

    // The off replica stores nothing where the others look.
    await page(off, 'mine')
    await fleet.settled()
    expect(await page(b, 'mine')).toMatchObject({ cache: 'MISS' })
    expect(stored.length).toBeGreaterThan(0)
  })
})

const hadHandlers = findCell({ hadHandlers: true })

describe.runIf(hadHandlers)('off goes back to the handlers that the application had', () => {
  test('off, on, off, on', async () => {
    const cell = hadHandlers!
    const { fleet, start, entries } = await setUp(cell)
    const { origin } = fleet

    let a = await start('a', OFF)
    expect(a.output()).toContain('off (DISTRIBUTED_CACHE=off): the cache handlers that the application had')
    expect(await page(a, 'x')).toEqual({ cache: 'MISS', version: 1 })
    expect(await page(a, 'x')).toEqual({ cache: 'HIT', version: 1 })
    const local = (await a.visit('/local/x')).facts
    expect((await a.visit('/local/x')).facts).toEqual(local)
    expect(a.output()).toContain('[own] set response')
    expect(a.output()).toContain('[own] set use cache')
    await origin.publish('x')
    await a.revalidateTag('content:x')
    expect(a.output()).toContain('[own] revalidateTag content:x')
    expect(a.output()).toContain('[own] updateTags content:x')
    expect(await page(a, 'x')).toEqual({ cache: 'MISS', version: 2 })
    expect(await entries()).toEqual([])
    await a.stop()

    a = await start('a', ON)
    const b = await start('b', ON)
    expect(await page(a, 'x')).toEqual({ cache: 'MISS', version: 2 })
    expect(await page(b, 'x')).toMatchObject({ version: 2 })
    expect(a.output() + b.output()).not.toContain('[own]')
    await a.stop()
    await b.stop()

    a = await start('a', OFF)
    await origin.publish('x')
    await a.revalidateTag('content:x')
    expect(a.output()).toContain('[own] revalidateTag content:x')
    await a.stop()

    a = await start('a', ON)
    expect(await page(a, 'x')).toEqual({ cache: 'MISS', version: 3 })
  })
})
