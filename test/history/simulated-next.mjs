// What Next.js 16.4 does with the two contracts, and nothing else: response cache and incremental cache for pages
// and fetches, the wrapper of `use cache` for functions. Follows server/response-cache/index,
// server/lib/incremental-cache/index, server/lib/patch-fetch and server/use-cache/use-cache-wrapper.
import { keyOf, pathTag, UNITS, YEAR } from './workload.mjs'

const STALE_MARK = '_ndc_stale'
const TAGS_HEADER = 'x-next-cache-tags'
const now = () => performance.timeOrigin + performance.now()

/**
 * @typedef {import('node:async_hooks').AsyncLocalStorage<object>} AsyncLocalStorage
 * @param {{ runtime: object, generate: (unit: string, request: { id: number, shared: boolean }) => Promise<{ v: number, gen: string }>,
 *   works: AsyncLocalStorage, workUnits: AsyncLocalStorage, track: (work: Promise<unknown>) => void }} parts
 *   `generate` asks the origin; `works`, `workUnits`: Next's storages; `track` is told of work that outlives its request
 */
export function createSimulatedNext({ runtime, generate, works, workUnits, track }) {
  const functions = runtime.useCacheHandlers.default
  const responses = new Map()
  const revalidations = new Map()
  const pendingInvocations = new Map()
  const backgroundRevalidations = new Map()

  /** Runs as Next does, so that a handler that asks what kind of work reads it is told. */
  const within = (type, callback) =>
    workUnits.run({ type, consumerWillServerCache: type === 'cache' }, callback)

  /** Next lets requests for one key in one process share their work; `request.shared`: this one may. */
  function batched(map, key, request, work) {
    const running = map.get(key)
    if (request.shared && running !== undefined) return running
    let resolve
    let reject
    const result = new Promise((...settle) => ([resolve, reject] = settle))
    result.catch(() => {})
    const batch = { since: request.id, result }
    if (request.shared) map.set(key, batch)
    // In the next turn, as Next schedules it: whoever comes in this one joins.
    const done = new Promise((start) => process.nextTick(start))
      .then(() => work(resolve))
      .then(resolve, reject)
      .finally(() => {
        if (map.get(key) === batch) map.delete(key)
      })
    track(done)
    return batch
  }

  async function page(name, request) {
    const handler = new runtime.CacheHandler({})
    const batch = batched(responses, name, request, async (resolve) => {
      const previous = judgeResponse(await handler.get(keyOf(name), { kind: 'APP_PAGE' }))
      if (previous !== undefined && previous.isStale !== -1) {
        resolve(answerOf(name, previous, request.id))
        if (!previous.isStale) return
      }
      const revalidation = batched(revalidations, name, request, () =>
        revalidate(name, request, handler, previous),
      )
      const { value, cacheControl, since } = await revalidation.result
      const answer = describe(name, 'miss', cacheControl.revalidate, JSON.parse(value.html))
      return { ...answer, since: Math.min(since, revalidation.since) }
    })
    const answer = await batch.result
    return { ...answer, since: Math.min(answer.since, batch.since) }
  }

  async function revalidate(name, request, handler, previous) {
    try {
      const rendered = await renderPage(name, request, handler)
      await handler.set(keyOf(name), rendered.value, {
        kind: 'APP_PAGE',
        cacheControl: rendered.cacheControl,
      })
      return rendered
    } catch (error) {
      if (previous?.cacheControl !== undefined) {
        const again = Math.min(Math.max(previous.cacheControl.revalidate || 3, 3), 30)
        const expire = previous.cacheControl.expire
        const cacheControl = {
          revalidate: again,
          expire: expire === undefined ? undefined : Math.max(again + 3, expire),
        }
        await handler.set(keyOf(name), previous.value, { kind: 'APP_PAGE', cacheControl })
      }
      throw error
    }
  }

  async function renderPage(name, request, handler) {
    const unit = UNITS[name]
    const scope = {
      type: 'prerender-legacy',
      request,
      handler,
      softTags: [pathTag(name)],
      tags: new Set([...unit.tags, pathTag(name)]),
      revalidate: unit.revalidate === false ? Infinity : unit.revalidate,
      expire: YEAR,
      path: name,
      since: request.id,
    }
    const items = await within(scope.type, () => renderUnit(name, scope))
    const value = {
      kind: 'APP_PAGE',
      html: JSON.stringify(items),
      rscData: Buffer.from(name),
      headers: { [TAGS_HEADER]: [...scope.tags].join(',') },
      status: 200,
    }
    return {
      value,
      cacheControl: {
        revalidate: scope.revalidate === Infinity ? false : scope.revalidate,
        expire: scope.expire,
      },
      since: scope.since,
    }
  }

  /** Own content, and that of everything inside: [path, unit, version, generation]. */
  async function renderUnit(name, scope) {
    const contained = UNITS[name].contains.map((inner) => read(inner, scope))
    const [own, ...inner] = await Promise.all([generate(name, scope.request), ...contained])
    return [[scope.path, name, own.v, own.gen], ...inner.flatMap(({ items }) => items)]
  }

  const read = (name, scope) =>
    UNITS[name].kind === 'fetch' ? readFetch(name, scope) : readFunction(name, scope)

  async function readFetch(name, scope) {
    const { tags, revalidate } = UNITS[name]
    const { handler, request } = scope
    const path = `${scope.path}>${name}`
    const found = await handler.get(keyOf(name), {
      kind: 'FETCH',
      revalidate,
      tags,
      softTags: scope.softTags,
    })
    for (const tag of tags) scope.tags?.add(tag)
    if (scope.revalidate > revalidate) scope.revalidate = revalidate
    const ask = async () => {
      const { v, gen } = await generate(name, request)
      const data = { headers: {}, body: JSON.stringify({ v, gen }), url: 'http://127.0.0.1/', status: 200 }
      await handler.set(keyOf(name), { kind: 'FETCH', data, revalidate }, { fetchCache: true, tags })
      return { v, gen }
    }
    const isStale = found !== null && (now() - (found.lastModified || 0)) / 1000 > revalidate
    if (found === null || (isStale && scope.type !== 'request')) {
      const { v, gen } = await ask()
      return describe(name, 'miss', revalidate, [[path, name, v, gen]])
    }
    if (isStale) track(ask())
    const { v, gen } = JSON.parse(found.value.data.body)
    return describe(name, isStale ? 'stale' : 'fresh', revalidate, [[path, name, v, gen]])
  }

  /**
   * A function inside the scope of a page, of another function, or of a request. Whoever comes while it is read,
   * generated or stored joins, in the same request also later.
   */
  async function readFunction(name, scope) {
    const { request } = scope
    const mayJoin = request.shared
    let invocation =
      mayJoin && (request.pending.get(name) ?? request.completed.get(name) ?? pendingInvocations.get(name))
    if (!invocation) {
      invocation = { since: request.id, ...invoke(name, scope) }
      if (mayJoin) {
        const mine = invocation
        const pending = [request.pending, pendingInvocations]
        for (const map of pending) map.set(name, mine)
        const cleanUp = () => {
          for (const map of pending) if (map.get(name) === mine) map.delete(name)
        }
        const completion = mine.settled.then(
          () => {
            cleanUp()
            request.completed.set(name, mine)
          },
          () => cleanUp(),
        )
        track(completion)
      }
    }
    const { entry, items, status, since } = await invocation.result
    // Whoever joined holds what was seen by the one who began.
    scope.since = Math.min(scope.since, invocation.since, since)
    for (const tag of entry.tags) scope.tags?.add(tag)
    if (scope.revalidate > entry.revalidate) scope.revalidate = entry.revalidate
    if (scope.expire > entry.expire) scope.expire = entry.expire
    const below = items.map(([path, ...rest]) => [`${scope.path}>${path}`, ...rest])
    return describe(name, status, entry.revalidate, below)
  }

  /** `result`: what the caller gets; `settled`: when nobody can join any more. */
  function invoke(name, scope) {
    const found = lookUp(name, scope)
    const result = found.then(async ({ entry, filled, status }) => {
      if (filled !== undefined) return { ...(await filled), status }
      return {
        entry,
        items: JSON.parse(await new Response(entry.value).text()),
        status,
        since: scope.request.id,
      }
    })
    result.catch(() => {})
    return { result, settled: found.then(async ({ filled }) => (await filled)?.stored) }
  }

  async function lookUp(name, scope) {
    const observed = backgroundRevalidations.get(name)
    const entry = await functions.get(keyOf(name), scope.softTags)
    const at = now()
    const isStale = entry !== undefined && at > entry.timestamp + entry.revalidate * 1000
    const persists = scope.type !== 'request'
    if (entry === undefined || at > entry.timestamp + entry.expire * 1000 || (isStale && persists)) {
      void entry?.value.cancel()
      return { filled: fill(name, scope), status: 'miss' }
    }
    if (isStale && observed === undefined && !backgroundRevalidations.has(name)) {
      const refresh = fill(name, scope)
        .then(({ stored }) => stored)
        .finally(() => {
          if (backgroundRevalidations.get(name) === refresh) backgroundRevalidations.delete(name)
        })
      backgroundRevalidations.set(name, refresh)
      track(refresh)
    }
    return { entry, status: isStale ? 'stale' : 'fresh' }
  }

  /** Generates a function and stores it. The request does not wait for the store. */
  async function fill(name, outer) {
    const unit = UNITS[name]
    const timestamp = now()
    const scope = {
      type: 'cache',
      request: outer.request,
      handler: outer.handler,
      softTags: outer.softTags,
      tags: new Set(unit.tags),
      revalidate: unit.revalidate,
      expire: unit.expire,
      path: name,
      since: outer.request.id,
    }
    const items = await within('cache', () => renderUnit(name, scope))
    const entry = {
      tags: [...scope.tags],
      stale: 300,
      timestamp,
      expire: unit.explicit ? unit.expire : scope.expire,
      revalidate: unit.explicit ? unit.revalidate : scope.revalidate,
    }
    const body = Buffer.from(JSON.stringify(items))
    const value = new ReadableStream({
      start(controller) {
        controller.enqueue(body)
        controller.close()
      },
    })
    const stored = functions.set(keyOf(name), Promise.resolve({ ...entry, value }))
    track(stored)
    return { entry, items, since: scope.since, stored }
  }

  async function dynamic(route, request, units) {
    const handler = new runtime.CacheHandler({})
    const one = async (name) => {
      const scope = {
        type: 'request',
        request,
        handler,
        softTags: [pathTag(route)],
        path: route,
        since: request.id,
      }
      const answer = await within('request', () => read(name, scope))
      return { ...answer, since: scope.since }
    }
    return Promise.all(units.map(one))
  }

  /** `res.revalidate`: renders whatever is stored, and stores. */
  async function publish(name, request) {
    const handler = new runtime.CacheHandler({})
    await handler.get(keyOf(name), { kind: 'APP_PAGE' })
    const { value, cacheControl, since } = await renderPage(name, request, handler)
    await handler.set(keyOf(name), value, { kind: 'APP_PAGE', cacheControl })
    return { ...describe(name, 'miss', cacheControl.revalidate, JSON.parse(value.html)), since }
  }

  /** `revalidateTag` and `updateTag`: Next tells every handler. */
  async function invalidate(tags, durations) {
    const handler = new runtime.CacheHandler({})
    await Promise.all([handler.revalidateTag(tags, durations), functions.updateTags(tags, durations)])
  }

  /** Every request is a piece of work of its own, as Next's handlers may find out. */
  const asWork = (serve) => (route, given, more) => {
    const request = { ...given, pending: new Map(), completed: new Map() }
    return works.run({ route, requestStartTime: now() }, () => serve(route, request, more))
  }

  return { page: asWork(page), dynamic: asWork(dynamic), publish: asWork(publish), invalidate }
}

/** `IncrementalCache.get` for pages. */
function judgeResponse(found) {
  if (found === null || found.value === null) return undefined
  const { value, lastModified, cacheControl } = found
  const at = now()
  let isStale
  if (lastModified === -1) isStale = -1
  else if (cacheControl?.expire !== undefined && cacheControl.expire * 1000 + lastModified < at) isStale = -1
  else if (typeof cacheControl?.revalidate === 'number' && cacheControl.revalidate * 1000 + lastModified < at)
    isStale = true
  else
    isStale = String(value.headers?.[TAGS_HEADER] ?? '')
      .split(',')
      .includes(STALE_MARK)
  return { isStale, value, cacheControl }
}

function answerOf(name, { isStale, value, cacheControl }, since) {
  const status = isStale ? 'stale' : 'fresh'
  return { ...describe(name, status, cacheControl?.revalidate, JSON.parse(value.html)), since }
}

/** What an observer can tell of an answer. `life`: what was handed out with it, in seconds. */
function describe(unit, status, revalidate, items) {
  return { unit, status, life: typeof revalidate === 'number' ? revalidate : null, items }
}
