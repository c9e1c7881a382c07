// Visitors of both fleets, and what they see. Each visit goes through the load balancer to whichever
// replica has its turn; the state is that of the page that shows it.
import { control, visit } from '../store-client.mjs'

const EVERY_MS = 400
const VISITS_SHOWN = 30
const EVENTS_SHOWN = 8

/** Besides the page, a visitor asks the same replica for the same product in these ways. */
const FUNCTIONS = [
  { reader: 'local', path: (id) => `/local/${id}` },
  { reader: 'fetch', path: (id) => `/fetch/${id}` },
]

/** @param {(state: object) => void} publishState called whenever there is something new to show */
export function startVisitors(fleets, publishState) {
  const sides = [fleets.stock, fleets.ours]
  let products = 0
  const state = { id: '', origin: 1, sides: {}, events: [] }
  let timer
  let watched = false
  let stopped = false
  let visiting = Promise.resolve()

  const say = (text) => {
    state.events.unshift({ at: Date.now(), text })
    state.events.length = Math.min(state.events.length, EVENTS_SHOWN)
  }

  const chooseProduct = () => {
    products += 1
    state.id = `teapot-${products}`
    state.origin = 1
    for (const { name } of sides) {
      state.sides[name] = { replicas: {}, visits: [], renders: 0, rendersOfChange: 0, rendersBefore: 0 }
    }
    say(`${state.id}: a product that no visitor has asked for yet.`)
  }

  const visitOnce = async (fleet) => {
    const { id } = state
    const side = state.sides[fleet.name]
    const page = await visit(fleet.balancer.url, `/isr/${id}`)
    const name = page.headers.get('x-replica')
    const facts = { isr: page.facts.isr }
    const replica = fleet.replicas.find((one) => one.name === name)
    for (const { reader, path } of FUNCTIONS)
      facts[reader] = (await visit(replica.url, path(id))).facts[reader]
    const { counts } = await fleet.origin.counts()
    if (state.sides[fleet.name] !== side || !facts.isr) return
    side.renders = ['isr', ...FUNCTIONS.map(({ reader }) => reader)].reduce(
      (sum, reader) => sum + (counts[`${reader} ${id}`] ?? 0),
      0,
    )
    side.rendersOfChange = side.renders - side.rendersBefore
    const told = side.replicas[name]?.told
    side.replicas[name] = { page: facts.isr, use: facts.local, fetch: facts.fetch, cache: page.cache, told }
    side.visits.push({ replica: name, version: facts.isr.version })
    if (side.visits.length > VISITS_SHOWN) side.visits.shift()
  }

  const tick = async () => {
    visiting = Promise.all(
      sides.map((fleet) => visitOnce(fleet).catch((error) => say(`${fleet.name}: ${error.message}`))),
    )
    await visiting
    publishState(state)
    if (watched && !stopped) timer = setTimeout(tick, EVERY_MS)
  }

  const publish = async () => {
    const [version] = await Promise.all(sides.map(({ origin }) => origin.publish(state.id)))
    state.origin = version
    say(`Version ${version} was published. The caches do not know yet.`)
  }

  const invalidate = async (profile) => {
    const told = await Promise.all(
      sides.map(async (fleet) => {
        const side = state.sides[fleet.name]
        const { replica } = await control(fleet.balancer.url, {
          action: 'revalidateTag',
          tag: `content:${state.id}`,
          profile,
        })
        for (const one of Object.values(side.replicas)) one.told = false
        if (side.replicas[replica]) side.replicas[replica].told = true
        side.rendersBefore = side.renders
        return replica
      }),
    )
    const call = profile ? `revalidateTag(tag, '${profile}')` : 'revalidateTag(tag, { expire: 0 })'
    say(`${call} reached replica ${told[0]} of stock and replica ${told[1]} of ours.`)
  }

  chooseProduct()
  return {
    state,
    /** Visits happen only while somebody looks. */
    watch(someone) {
      const begins = someone && !watched
      watched = someone
      if (begins) void tick()
    },
    async act(action) {
      await visiting
      if (action === 'publish' || action === 'change') await publish()
      if (action === 'change' || action === 'invalidate') await invalidate()
      if (action === 'invalidate-max') await invalidate('max')
      if (action === 'new-product') chooseProduct()
      publishState(state)
    },
    async stop() {
      stopped = true
      clearTimeout(timer)
      await visiting
    },
  }
}
