// One scenario is one measurement of a running deployment, on a page that nobody has asked for before.
import { control } from '../../scripts/lib/store-client.mjs'
import { assertAnswered, visit } from '../deployments/visit.mjs'
import { quantile } from '../lib/statistics.mjs'

const USERS = 50
/** How long the origin takes: long enough that everybody is there before the first render ends. */
const ORIGIN_MS = 300
/** A replica that has not changed by then does not change because of the invalidation. */
const NEVER_MS = 3_000

const pathOf = (id) => `/bench/${id}`
const tagOf = (id) => `content:${id}`

/** Nobody has rendered it, and everybody wants it. */
export async function coldCrowd(deployment, id) {
  await deployment.origin.delay(id, ORIGIN_MS)
  return (await crowd(deployment, id, 1)).seen
}

/** Every replica has it, and what it shows may be shown once more while it is refreshed. */
export async function staleCrowd(deployment, id) {
  await warm(deployment, id)
  const version = await deployment.origin.publish(id)
  await invalidate(deployment, id, 'max')
  await deployment.origin.delay(id, ORIGIN_MS)
  // Stale answers are right here.
  const { seen, before } = await crowd(deployment, id, version - 1)
  await settle(deployment, id, version)
  return { ...seen, ...(await costSince(deployment, id, before)) }
}

/** Every replica has it, and what it shows must not be shown again. */
export async function invalidatedCrowd(deployment, id) {
  await warm(deployment, id)
  const version = await deployment.origin.publish(id)
  await invalidate(deployment, id)
  // Next answers a webhook before the handlers are done, and nothing tells from outside when they are.
  await new Promise((resolve) => setTimeout(resolve, 50))
  await deployment.origin.delay(id, ORIGIN_MS)
  return (await crowd(deployment, id, version)).seen
}

/** From the answer to the webhook at one replica to the first new answer of every other one. */
export async function propagation(deployment, id, { quick }) {
  const others = deployment.replicas.slice(1)
  const times = []
  let never = 0
  for (let round = 0; round < (quick ? 3 : 10); round++) {
    await warm(deployment, id)
    const version = await deployment.origin.publish(id)
    await invalidate(deployment, id)
    const startedAt = performance.now()
    const reached = await Promise.all(
      others.map(async ({ url }) => {
        while (performance.now() - startedAt < NEVER_MS) {
          const sentAt = performance.now()
          const { version: shown } = await visit(url + pathOf(id))
          // When it asked counts, not when a render gave the answer.
          if (shown >= version) return sentAt - startedAt
        }
        return undefined
      }),
    )
    for (const ms of reached) {
      if (ms === undefined) never++
      else times.push(ms)
    }
    if (never > 0) break
  }
  if (never > 0) throw new Error(`${never} replicas still showed the old page after ${NEVER_MS / 1000} s`)
  if (times.length === 0) return { propagationMs: 0, propagationP99Ms: 0 }
  return { propagationMs: quantile(times, 0.5), propagationP99Ms: quantile(times, 0.99) }
}

async function warm({ replicas }, id) {
  for (let round = 0; round < 2; round++)
    assertAnswered(await Promise.all(replicas.map(({ url }) => visit(url + pathOf(id)))))
}

/** Through one replica, as a webhook comes. */
async function invalidate({ replicas }, id, profile) {
  await control(replicas[0].url, { action: 'revalidateTag', tag: tagOf(id), profile })
}

/** Until the replicas that can hear of the change have; bounded, since some never do. */
async function settle({ replicas }, id, version) {
  const deadline = performance.now() + NEVER_MS
  while (performance.now() < deadline) {
    const visits = await Promise.all(replicas.map(({ url }) => visit(url + pathOf(id))))
    if (visits.every(({ version: shown }) => shown >= version)) return
  }
}

async function crowd(deployment, id, oldestRight) {
  const { replicas } = deployment
  const before = await queriesOf(deployment, id)
  const visits = await Promise.all(
    Array.from({ length: USERS }, (_, user) => visit(replicas[user % replicas.length].url + pathOf(id))),
  )
  assertAnswered(visits)
  const ttfbs = visits.map(({ ttfbMs }) => ttfbMs)
  const seen = {
    ...(await costSince(deployment, id, before)),
    ttfbMs: quantile(ttfbs, 0.5),
    ttfbP99Ms: quantile(ttfbs, 0.99),
    versions: new Set(visits.map(({ version }) => version)).size,
    oldAnswers: visits.filter(({ version }) => version < oldestRight).length,
  }
  return { seen, before }
}

async function costSince(deployment, id, before) {
  const after = await queriesOf(deployment, id)
  return { renders: after.renders - before.renders, queries: after.queries - before.queries }
}

async function queriesOf({ origin }, id) {
  const { counts } = await origin.counts()
  let queries = 0
  for (const [key, count] of Object.entries(counts)) {
    if (key === `bench ${id}` || key.startsWith(`bench ${id}.part`)) queries += count
  }
  return { renders: counts[`bench ${id}`] ?? 0, queries }
}
