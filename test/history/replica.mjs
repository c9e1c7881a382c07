// One replica: a process with the compiled runtime and the simulated Next in front of it, told what to do over IPC.
import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe } from 'node:diagnostics_channel'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createBusMarks } from './bus-marks.mjs'
import { SABOTAGES } from './sabotage.mjs'
import { createSimulatedNext } from './simulated-next.mjs'
import { DYNAMIC_ROUTES } from './workload.mjs'

// As Next's server does, before anything of it is loaded.
globalThis.AsyncLocalStorage = AsyncLocalStorage
const require = createRequire(import.meta.url)
const requests = new AsyncLocalStorage()
const counts = {}
const background = new Set()
const origin = new Map()
/** Invalidations that wait for Redis. */
const kept = new Map()
const bus = createBusMarks()
let generations = 0
let name
let next

/** The longest time that this process did not run, lately: it could not have heard of anything meanwhile. */
const TICK_MS = 20
const MEMORY_MS = 2_500
let lapses = []
let tickedAt = performance.now()
setInterval(noteLapse, TICK_MS)
function noteLapse() {
  const at = performance.now()
  if (at - tickedAt > 3 * TICK_MS) lapses.push({ at, ms: at - tickedAt - TICK_MS })
  tickedAt = at
  lapses = lapses.filter((lapse) => at - lapse.at < MEMORY_MS)
}
function lapsedMs() {
  noteLapse()
  return Math.round(lapses.reduce((longest, { ms }) => Math.max(longest, ms), 0))
}

const commands = {
  start(config) {
    name = config.name
    const load = (path) => require(join(config.dist, path))
    if (config.sabotage) SABOTAGES[config.sabotage].apply(load)
    observe(load('runtime/telemetry.js').EVENTS)
    const { createRuntime } = load('runtime/create-runtime.js')
    const { createClient } = load(
      `runtime/clients/${config.options.driver === 'redis' ? 'node-redis' : 'ioredis'}.js`,
    )
    const { options, url, namespace } = config
    const runtime = createRuntime({
      options,
      backend: 'redis',
      url,
      namespace,
      debug: false,
      createClient: (settings) => bus.watch(createClient(settings)),
    })
    const storages = 'next/dist/server/app-render'
    const { workAsyncStorage: works } = require(`${storages}/work-async-storage.external.js`)
    const { workUnitAsyncStorage: workUnits } = require(`${storages}/work-unit-async-storage.external.js`)
    next = createSimulatedNext({ runtime, generate, works, workUnits, track })
  },
  async page({ route, ...request }) {
    return { answers: [await next.page(route, request)], lapsedMs: lapsedMs() }
  },
  async dynamic({ route, ...request }) {
    const answers = await next.dynamic(route, request, DYNAMIC_ROUTES[route])
    const masked = requests.getStore().events.some((event) => event.masked)
    return { answers, masked, lapsedMs: lapsedMs() }
  },
  async publish({ route, ...request }) {
    const { events } = requests.getStore()
    const answer = await next.publish(route, request)
    const read = events.some(({ event, tier }) => event === 'read' && tier !== 'none')
    return {
      answers: [answer],
      lapsedMs: lapsedMs(),
      stored: read && events.some(({ event }) => event === 'write'),
    }
  },
  async invalidate({ id, tags, durations }) {
    const invalidation = { tags: new Set(tags), since: performance.now(), durable: false, waits: false }
    kept.set(id, invalidation)
    await next.invalidate(tags, durations)
    // It was kept for a retry: only what is sent from now on surely holds it.
    if (!invalidation.durable)
      Object.assign(invalidation, { tags: new Set(tags), since: performance.now(), waits: true })
    else kept.delete(id)
    return { durable: invalidation.durable }
  },
  async idle() {
    while (background.size > 0) await Promise.allSettled(background)
    return { counts }
  },
  /** Resolves when everything has arrived that the bus carried before. */
  async heard() {
    await bus.heard()
    return {}
  },
  stats: () => ({ counts, heapBytes: process.memoryUsage().heapUsed }),
}

function observe(events) {
  for (const event of events) {
    subscribe(`next-distributed-cache:${event}`, (message) => {
      const { tier, masked, outcome, role, reason, fault } = message
      const detail = masked ? 'masked' : (tier ?? outcome ?? role ?? reason ?? fault ?? '')
      const key = `${event} ${detail}`.trim()
      counts[key] = (counts[key] ?? 0) + 1
      requests.getStore()?.events.push({
        event,
        tier,
        masked,
        detail: `${event} ${[tier, message.verdict, masked && 'masked', outcome, reason].filter(Boolean).join(' ')}`,
      })
      if (event === 'invalidated') reached(message.tags, performance.now() - message.ms)
    })
  }
}

/** Redis has these tags, sent at `sentAt`: what waited for it is acknowledged now. */
function reached(tags, sentAt) {
  for (const [id, invalidation] of kept) {
    if (sentAt < invalidation.since) continue
    for (const tag of tags) invalidation.tags.delete(tag)
    if (invalidation.tags.size > 0) continue
    invalidation.durable = true
    if (!invalidation.waits) continue
    kept.delete(id)
    process.send({ type: 'durable', id })
  }
}

function track(work) {
  const quiet = work.catch(() => {})
  background.add(quiet)
  void quiet.finally(() => background.delete(quiet))
}

/** Asks the origin; rejects when it fails. */
function generate(unit, { id }) {
  const gen = `${name}-${++generations}`
  return new Promise((resolve, reject) => {
    origin.set(gen, { resolve, reject })
    process.send({ type: 'generate', unit, gen, request: id })
  })
}

process.on('message', ({ type, ...message }) => {
  if (type === 'generated') {
    const { resolve, reject } = origin.get(message.gen)
    origin.delete(message.gen)
    if (message.failed) reject(new Error('The origin failed'))
    else resolve({ v: message.v, gen: message.gen })
    return
  }
  const work = { events: [] }
  requests
    .run(work, async () => commands[type](message))
    .then(
      // What the runtime said while it answered is for the report of a violation.
      (result) =>
        process.send({
          type: 'done',
          id: message.id,
          ...result,
          said: work.events.map(({ detail }) => detail),
        }),
      (error) => process.send({ type: 'done', id: message.id, error: String(error) }),
    )
})
process.on('disconnect', () => process.exit())
process.send({ type: 'loaded' })
