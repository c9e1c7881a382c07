// The origin: the system of record behind the store. It holds the version of every product, counts
// what it is asked for, and can be told to answer slowly, to hold answers back, or to fail, so that a
// test can place an invalidation exactly between a render's read and its write.
//
//   node origin/server.mjs        listens on 127.0.0.1:$PORT (0: any free port), prints its URL
import { createServer } from 'node:http'
import { pathToFileURL } from 'node:url'

/** Products exist as soon as somebody asks for them; one whose id begins with this, only once published. */
const ABSENT = 'absent'

/** @returns a request listener with a state of its own */
export function createOrigin() {
  const state = {
    contents: new Map(),
    counts: new Map(),
    delays: new Map(),
    gates: new Map(),
    failures: new Map(),
    answers: 0,
  }

  const contentOf = (id) => {
    if (!state.contents.has(id)) state.contents.set(id, { version: id.startsWith(ABSENT) ? 0 : 1 })
    return state.contents.get(id)
  }

  const gateOf = (id) => {
    if (!state.gates.has(id)) state.gates.set(id, { closed: false, held: [], watchers: [] })
    return state.gates.get(id)
  }

  const notifyWatchers = (gate) => {
    gate.watchers = gate.watchers.filter((watcher) => {
      if (gate.held.length < watcher.count) return true
      watcher.resolve()
      return false
    })
  }

  const throughGate = async (id) => {
    const gate = gateOf(id)
    if (!gate.closed) return
    await new Promise((resolve) => {
      gate.held.push(resolve)
      notifyWatchers(gate)
    })
  }

  const routes = {
    'GET /health': () => ({ body: { ok: true } }),

    'GET /content': async (id, url) => {
      const reader = url.searchParams.get('reader') ?? 'unknown'
      const key = `${reader} ${id}`
      state.counts.set(key, (state.counts.get(key) ?? 0) + 1)
      // The answer is fixed before any delay or gate: what is held back is an answer that may grow old.
      const { version } = contentOf(id)
      const failure = state.failures.get(id)
      const body = { id, version, serial: ++state.answers, name: nameOf(id), price: priceOf(id, version) }
      const delayMs = state.delays.get(id)
      if (delayMs) await new Promise((resolve) => setTimeout(resolve, delayMs))
      await throughGate(id)
      if (failure) return { status: failure, body: { error: 'told to fail' } }
      return version === 0 ? { status: 404, body: { error: 'no such product' } } : { body }
    },

    'POST /publish': (id) => {
      const content = contentOf(id)
      content.version = (content.latest ?? content.version) + 1
      content.latest = content.version
      return { body: { id, version: content.version } }
    },

    'POST /remove': (id) => {
      const content = contentOf(id)
      content.latest = content.latest ?? content.version
      content.version = 0
      return { body: { id, version: 0 } }
    },

    'POST /delay': (id, url) => {
      state.delays.set(id, Number(url.searchParams.get('ms') ?? 0))
      return { body: { id, ms: state.delays.get(id) } }
    },

    'POST /fail': (id, url) => {
      const status = Number(url.searchParams.get('status') ?? 500)
      if (status >= 400) state.failures.set(id, status)
      else state.failures.delete(id)
      return { body: { id, status: state.failures.get(id) ?? 200 } }
    },

    'POST /gate': async (id, url, verb) => {
      const gate = gateOf(id)
      if (verb === 'close') gate.closed = true
      else if (verb === 'open') {
        gate.closed = false
        for (const release of gate.held.splice(0)) release()
      } else return { status: 404, body: { error: 'close or open' } }
      return { body: { id, closed: gate.closed } }
    },

    // Resolves once `count` answers are being held: a test waits for an event, not for a time.
    'GET /gate': async (id, url) => {
      const gate = gateOf(id)
      const count = Number(url.searchParams.get('count') ?? 0)
      if (gate.held.length < count) await new Promise((resolve) => gate.watchers.push({ count, resolve }))
      return { body: { id, closed: gate.closed, held: gate.held.length } }
    },

    'GET /counts': () => {
      const counts = Object.fromEntries(state.counts)
      return { body: { total: Object.values(counts).reduce((sum, count) => sum + count, 0), counts } }
    },

    'POST /reset': () => {
      for (const gate of state.gates.values()) for (const release of gate.held.splice(0)) release()
      state.contents.clear()
      state.counts.clear()
      state.delays.clear()
      state.gates.clear()
      state.failures.clear()
      return { body: { ok: true } }
    },
  }

  const answer = async ({ method, url: path }) => {
    const url = new URL(path, 'http://origin')
    const [, resource, id = '', verb] = url.pathname.split('/').map(decodeURIComponent)
    const route = routes[`${method} /${resource}`]
    return route ? route(id, url, verb) : { status: 404, body: { error: 'no such route' } }
  }

  return async (request, response) => {
    request.resume()
    const { status = 200, body } = await answer(request).catch((error) => ({
      status: 400,
      body: { error: error.message },
    }))
    response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    response.end(JSON.stringify(body))
  }
}

const NAMES = ['Lamp', 'Chair', 'Kettle', 'Notebook', 'Bicycle', 'Umbrella', 'Radio', 'Teapot']

function numberOf(id) {
  let sum = 0
  for (const character of id) sum = (sum * 31 + character.codePointAt(0)) % 9973
  return sum
}

function nameOf(id) {
  return `${NAMES[numberOf(id) % NAMES.length]} ${id}`
}

/** Changes with each version, so that a reader sees a change without knowing about versions. */
function priceOf(id, version) {
  return 10 + (numberOf(id) % 90) + version
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const server = createServer(createOrigin())
  server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
    console.log(`origin ready on http://127.0.0.1:${server.address().port}`)
  })
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      server.close()
      server.closeAllConnections()
    })
  }
}
