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
  let watched = false
  let looping = false
  let last = Promise.resolve()
  /** Visits and invalidations take turns: a visit under way may rightly show what was true when it began. */
  const inTurn = (work) => (last = last.then(work, work))

  const say = (text) => {
    state.events.unshift({ at: Date.now(), text })
    state.events.length = Math.min(state.events.length, EVENTS_SHOWN)
  }

  const chooseProduct = () => {
    products += 1
    state.id = `teapot-${products}`
    state.origin = 1
    for (const { name } of sides) {
      state.sides[name] = {
        replicas: {},
        told: '',
        visits: [],
        renders: 0,
        answers: 0,
        outdated: 0,
        invalidated: 0,
        invalidations: 0,
      }
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
    if (!facts.isr) throw new Error(`replica ${name} answered ${page.status}`)
    side.renders = ['isr', ...FUNCTIONS.map(({ reader }) => reader)].reduce(
      (sum, reader) => sum + (counts[`${reader} ${id}`] ?? 0),
      0,
    )
    side.answers += 1
    if (facts.isr.version < side.invalidated) side.outdated += 1
    side.replicas[name] = {
      page: facts.isr,
      use: facts.local,
      fetch: facts.fetch,
      invalidations: side.invalidations,
    }
    side.visits.push({ replica: name, version: facts.isr.version })
    if (side.visits.length > VISITS_SHOWN) side.visits.shift()
  }

  const visitBoth = () =>
    Promise.all(
      sides.map((fleet) => visitOnce(fleet).catch((error) => say(`${fleet.name}: ${error.message}`))),
    )

  const loop = async () => {
    if (looping) return
    looping = true
    while (watched) {
      await inTurn(visitBoth)
      publishState(state)
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS))
    }
    looping = false
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
        // What was published before this moment must be shown from now on.
        Object.assign(side, { told: replica, invalidated: state.origin, answers: 0, outdated: 0 })
        side.invalidations += 1
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
      watched = someone
      if (watched) void loop()
    },
    act: (action) =>
      inTurn(async () => {
        if (action === 'publish' || action === 'change') await publish()
        if (action === 'change' || action === 'invalidate') await invalidate()
        if (action === 'invalidate-max') await invalidate('max')
        if (action === 'new-product') chooseProduct()
        publishState(state)
      }),
    async stop() {
      watched = false
      await inTurn(() => {})
    },
  }
}
