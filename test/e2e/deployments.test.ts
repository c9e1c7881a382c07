import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { type Fleet, type Replica, startFleet } from '../support/e2e-fleet'
import { prepareApp } from '../support/e2e-tools'
import { type Cell, cells, findCell } from './cells'

let fleet: Fleet | undefined
afterEach(async () => {
  await fleet?.stop()
  fleet = undefined
})

type Start = (name: string) => Promise<Replica>

/** The readers that are compared, and where they are. */
const READERS: Readonly<Record<string, string>> = {
  isr: '/isr',
  'api-cached': '/api/cached',
  legacy: '/legacy',
  fetch: '/fetch',
  memo: '/memo',
}

async function serials(replica: Replica, id: string) {
  const found: Record<string, number | undefined> = {}
  for (const [reader, folder] of Object.entries(READERS))
    found[reader] = (await replica.visit(`${folder}/${id}`)).facts[reader]?.serial
  return found
}

async function page(replica: Replica, id: string) {
  const { cache, facts } = await replica.visit(`/isr/${id}`)
  return { cache, version: facts['isr']?.version }
}

/** The second parts of the names of all entries. */
async function namespaces({ redis }: Fleet, keyPrefix: string): Promise<string[]> {
  const keys = (await redis.command('KEYS', '*')) as string[]
  const entries = keys.filter((key) => key !== `${keyPrefix}:tags`)
  return [...new Set(entries.map((key) => key.slice(keyPrefix.length + 1).split(':')[0] ?? ''))].sort()
}

/** Neither sees what the other stored; both see what either invalidates, and so does one that comes back. */
async function expectSeparateDeployments(fleet: Fleet, cell: Cell, startOlder: Start, startNewer: Start) {
  const { origin } = fleet
  const older = await startOlder('older')
  const newer = await startNewer('newer')

  const ofOlder = await serials(older, 'x')
  const ofNewer = await serials(newer, 'x')
  for (const reader of Object.keys(READERS)) expect(ofNewer[reader]).not.toBe(ofOlder[reader])
  await fleet.settled()
  expect(await serials(older, 'x')).toEqual(ofOlder)
  expect(await serials(newer, 'x')).toEqual(ofNewer)
  expect(await namespaces(fleet, cell.keyPrefix)).toHaveLength(2)

  // Rolling and canary: whichever hears of it, both know.
  await origin.publish('x')
  await newer.revalidateTag('content:x')
  expect(await page(older, 'x')).toEqual({ cache: 'MISS', version: 2 })
  expect(await page(newer, 'x')).toEqual({ cache: 'MISS', version: 2 })
  await origin.publish('x')
  await older.revalidateTag('content:x', 'max')
  expect(await page(newer, 'x')).toEqual({ cache: 'STALE', version: 2 })
  expect(await page(older, 'x')).toEqual({ cache: 'STALE', version: 2 })

  // Rollback: the older one comes back to what it had stored, but for what was invalidated meanwhile.
  await page(older, 'y')
  const untouched = (await older.visit('/isr/untouched')).facts
  await older.stop()
  await origin.publish('y')
  await newer.revalidateTag('content:y')
  const back = await startOlder('older')
  await newer.stop()
  expect(await page(back, 'y')).toEqual({ cache: 'MISS', version: 2 })
  expect((await back.visit('/isr/untouched')).facts).toEqual(untouched)
}

test('two deployments, told apart by BUILD_ID', async () => {
  const cell = cells.find(({ deployment }) => deployment === undefined)
  if (cell === undefined) throw new Error('No cell is without a deployment id')
  const app = await prepareApp(cell.choice)
  fleet = await startFleet()
  const builds = {
    older: await fleet.standalone(app),
    newer: await fleet.standalone(app, { readOnly: false }),
  }
  // The next build of the same sources differs in little else.
  const file = join(builds.newer, app.serverDirectory, '.next', 'BUILD_ID')
  await writeFile(file, `next-${await readFile(file, 'utf8')}`)
  const { start } = fleet
  await expectSeparateDeployments(
    fleet,
    cell,
    (name) => start({ name, app, standalone: builds.older }),
    (name) => start({ name, app, standalone: builds.newer }),
  )
})

const blue = findCell({ deployment: 'blue' })
const green = findCell({ deployment: 'green' })

test.runIf(blue && green)('two deployments, told apart by NEXT_DEPLOYMENT_ID at build', async () => {
  fleet = await startFleet()
  const { start, standalone } = fleet
  const [older, newer] = [await prepareApp(blue!.choice), await prepareApp(green!.choice)]
  const builds = { older: await standalone(older), newer: await standalone(newer) }
  // With a deployment id Next writes the same BUILD_ID always.
  const buildId = async (directory: string) => readFile(join(directory, '.next', 'BUILD_ID'), 'utf8')
  expect(await buildId(builds.older)).toBe(await buildId(builds.newer))
  await expectSeparateDeployments(
    fleet,
    blue!,
    (name) => start({ name, app: older, standalone: builds.older }),
    (name) => start({ name, app: newer, standalone: builds.newer }),
  )
  expect(await namespaces(fleet, blue!.keyPrefix)).toEqual(['blue', 'green'])
})

const catalogue = findCell({ keyPrefix: 'catalogue' })
const store = cells.find((cell) => cell.minor === catalogue?.minor && cell.keyPrefix !== catalogue?.keyPrefix)

describe.runIf(catalogue && store)('two applications', () => {
  test('do not touch each other', async () => {
    fleet = await startFleet()
    const { origin, redis } = fleet
    const start = async (cell: Cell, name: string) => {
      const app = await prepareApp(cell.choice)
      return fleet!.start({ name, app, standalone: await fleet!.standalone(app) })
    }
    const one = await start(store!, 'one')
    const other = await start(catalogue!, 'other')
    const ofOne = await serials(one, 'x')
    const ofOther = await serials(other, 'x')
    for (const reader of Object.keys(READERS)) expect(ofOther[reader]).not.toBe(ofOne[reader])

    await origin.publish('x')
    await one.revalidateTag('content:x')
    await one.control({ action: 'revalidatePath', path: '/', type: 'layout' })
    expect(await page(one, 'x')).toEqual({ cache: 'MISS', version: 2 })
    expect(await page(other, 'x')).toEqual({ cache: 'HIT', version: 1 })

    const keys = (await redis.command('KEYS', '*')) as string[]
    for (const key of keys) expect(key).toMatch(/^(ndc:store|catalogue):/)
    expect(keys.filter((key) => key.endsWith(':tags')).sort()).toEqual(['catalogue:tags', 'ndc:store:tags'])
  })
})
