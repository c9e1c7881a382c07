// `npm run demo -- --check`: what the demo page shows a person, asked and judged by a program.
import { until } from '../processes.mjs'
import { control, visit } from '../store-client.mjs'

const KINDS = [
  { label: 'page (ISR)', reader: 'isr', path: (id) => `/isr/${id}` },
  { label: 'page (PPR shell)', reader: 'ppr', path: (id) => `/ppr/${id}` },
  { label: 'use cache', reader: 'local', path: (id) => `/local/${id}` },
  { label: 'use cache: remote', reader: 'remote', path: (id) => `/remote/${id}` },
  { label: 'fetch', reader: 'fetch', path: (id) => `/fetch/${id}` },
  { label: 'unstable_cache', reader: 'memo', path: (id) => `/memo/${id}` },
  { label: 'route handler', reader: 'api-cached', path: (id) => `/api/cached/${id}` },
]

const invalidate = (replica, id, profile) =>
  control(replica.url, { action: 'revalidateTag', tag: `content:${id}`, profile })

/** Every scenario leaves a new version at the origin, or a path that nobody has visited, and tells one replica at most. */
const SCENARIOS = [
  { title: 'First visit of a path', act: async () => {} },
  {
    title: 'Published, revalidateTag(tag, { expire: 0 }) at replica 1',
    act: async ({ origin, replicas }, id) => {
      await origin.publish(id)
      await invalidate(replicas[0], id)
    },
  },
  {
    title: 'Published again, the same at replica 2',
    act: async ({ origin, replicas }, id) => {
      await origin.publish(id)
      await invalidate(replicas[1], id)
    },
  },
  {
    title: "Published again, revalidateTag(tag, 'max') at replica 3, refreshed by one visit there",
    act: async ({ origin, replicas }, id, kind) => {
      const version = await origin.publish(id)
      await invalidate(replicas[2], id, 'max')
      // The profile allows the old version until a visit has refreshed it in the background.
      await until(async () => (await read(replicas[2], kind, id)).version === version, {
        what: `${kind.label} to be refreshed in the background`,
      })
    },
  },
]

async function read(replica, kind, id) {
  const answer = await visit(replica.url, kind.path(id))
  const facts = answer.facts[kind.reader]
  if (answer.status !== 200 || !facts)
    throw new Error(`${replica.name} answered ${answer.status} to ${kind.path(id)}`)
  return facts
}

/** One after the other: each replica three times, so that its own write is done before the next is asked. */
async function observe(fleet, kind, id) {
  const versions = new Set()
  for (const replica of fleet.replicas) {
    for (let time = 0; time < 3; time++) versions.add((await read(replica, kind, id)).version)
  }
  return versions
}

async function measure(fleet, scenario, kind, id) {
  const before = await fleet.origin.renders(kind.reader, id)
  await scenario.act(fleet, id, kind)
  const versions = await observe(fleet, kind, id)
  return { versions: versions.size, renders: (await fleet.origin.renders(kind.reader, id)) - before }
}

/** @returns {Promise<boolean>} whether ours behaved like one server, and stock did not */
export async function check({ stock, ours }, log = console.log) {
  const rows = []
  for (const kind of KINDS) {
    const id = `check-${kind.reader}`
    for (const scenario of SCENARIOS) {
      const [ofStock, ofOurs] = await Promise.all(
        [stock, ours].map((fleet) => measure(fleet, scenario, kind, id)),
      )
      rows.push({ scenario, kind, stock: ofStock, ours: ofOurs })
    }
  }
  print(rows, log)

  const failed = rows.filter(({ ours: { versions, renders } }) => versions !== 1 || renders !== 1)
  const torn = rows.filter(({ stock: { versions } }) => versions > 1)
  for (const { scenario, kind } of failed) {
    log(`FAILED  ${kind.label}, "${scenario.title}": ours has to show 1 version for 1 render.`)
  }
  if (torn.length === 0) {
    log(
      'FAILED  Stock showed one version everywhere: either it shares its caches now, or this check does not see what it should.',
    )
  }
  if (failed.length > 0 || torn.length === 0) return false
  const most = Math.max(...torn.map(({ stock: { versions } }) => versions))
  log(
    `Ours: 1 version and 1 render in ${rows.length} of ${rows.length} cases. Stock: up to ${most} versions at once, several in ${torn.length} of ${rows.length}.`,
  )
  return true
}

function print(rows, log) {
  const width = Math.max(...KINDS.map(({ label }) => label.length))
  const cell = (value) => String(value).padStart(8)
  log(`${' '.repeat(width + 2)}       stock                 ours`)
  log(`${' '.repeat(width + 2)}versions renders     versions renders`)
  for (const scenario of SCENARIOS) {
    log(`\n${scenario.title}`)
    for (const row of rows.filter((one) => one.scenario === scenario)) {
      const { stock, ours } = row
      const mark = ours.versions === 1 && ours.renders === 1 ? '' : '  <- not one'
      log(
        `  ${row.kind.label.padEnd(width)}${cell(stock.versions)}${cell(stock.renders)}     ${cell(ours.versions)}${cell(ours.renders)}${mark}`,
      )
    }
  }
  log('')
}
