// What a request pays for a Redis that is known to be away: ours against stock, both rendering the same new page.
import { ask } from './ask.mjs'
import { FAULTS } from './catalogue.mjs'
import { ROUTES } from './routes.mjs'
import { aligned, quantile } from './table.mjs'

const PAIRS_PER_ROUTE = 60
/** Until the fault is known for what it is. */
const WARM_UP_MS = 5_000
const SITUATIONS = [undefined, 'refused', 'hung']

/** @returns rows of medians [ms], by route and situation; `added`: the median of the differences within a pair */
export async function measureAddedLatency({ arena, load }, requestMs) {
  await load.pause()
  const stock = await arena.startStock()
  const [ours] = arena.replicas
  const rows = []
  let turn = 0
  try {
    for (const situation of SITUATIONS) {
      const fault = FAULTS.find(({ name }) => name === situation)
      const end = await fault?.begin(arena)
      try {
        await warmUp([stock, ours], situation ?? 'healthy', requestMs)
        for (const { name, path } of ROUTES) {
          const pairs = []
          for (let pair = 0; pair < PAIRS_PER_ROUTE; pair++) {
            const url = path(`pair-${situation}-${pair}`)
            // Whoever comes second finds the machine in another state: they take turns.
            const order = turn++ % 2 === 0 ? [stock, ours] : [ours, stock]
            const took = new Map()
            for (const server of order)
              took.set(server, (await ask(server.url + url, { limitMs: requestMs })).ms)
            pairs.push({ stock: took.get(stock), ours: took.get(ours) })
          }
          rows.push({ situation: fault?.what ?? 'healthy', route: name, ...medians(pairs), pairs })
        }
      } finally {
        await end?.()
      }
    }
  } finally {
    await stock.stop()
    load.resume()
  }
  return rows
}

async function warmUp(servers, situation, requestMs) {
  const until = performance.now() + WARM_UP_MS
  for (let round = 0; performance.now() < until; round++) {
    for (const server of servers)
      for (const { path } of ROUTES)
        await ask(server.url + path(`warm-${situation}-${round}`), { limitMs: requestMs })
  }
}

function medians(pairs) {
  const median = (of) => quantile(pairs.map(of), 0.5)
  return {
    stock: median((pair) => pair.stock),
    ours: median((pair) => pair.ours),
    added: median((pair) => pair.ours - pair.stock),
  }
}

export function describeAddedLatency(rows) {
  const situations = [...new Set(rows.map(({ situation }) => situation))]
  const overall = situations.map((situation) => ({
    situation,
    route: 'all of them',
    ...medians(rows.filter((row) => row.situation === situation).flatMap(({ pairs }) => pairs)),
  }))
  const ms = (value) => value.toFixed(2)
  return aligned([
    ['Redis', 'a new page', 'stock', 'ours', 'added'],
    ...situations.flatMap((situation) =>
      [...rows, ...overall]
        .filter((row) => row.situation === situation)
        .map(({ route, stock, ours, added }) => [situation, route, ms(stock), ms(ours), ms(added)]),
    ),
  ])
}
