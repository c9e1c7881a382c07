// One operation on one server, and what its visitor sees.
import { visit } from '../../scripts/lib/store-client.mjs'
import { createHash } from 'node:crypto'

/**
 * @typedef {object} Observation
 * @property {number} status
 * @property {string | null} cache what Next says about its cache, where it says it
 * @property {string | null} location
 * @property {string} [body] what is neither facts nor a page: a digest
 * @property {Record<string, { version: number, serial: string, render: string }>} facts by reader
 * @property {string} server who answered
 */

/** A page, as a browser opens it; as its router fetches it, and prefetches it; in draft mode. */
const HEADERS = {
  html: {},
  rsc: { rsc: '1' },
  prefetch: { rsc: '1', 'next-router-prefetch': '1' },
  segment: { rsc: '1', 'next-router-prefetch': '1', 'next-router-segment-prefetch': '/_tree' },
  draft: {},
}

/** @returns {Promise<Observation>} */
export async function visitPath(server, path, as, draftCookie) {
  const headers = { ...HEADERS[as], ...(as === 'draft' ? { cookie: draftCookie } : {}) }
  let answer = await visit(server.url, path, { headers })
  const location = answer.headers.get('location')
  // Next sends the browser's router to an address that caches can tell from the page's own.
  if (location?.includes('?_rsc')) answer = await visit(server.url, location, { headers })
  return observationOf(server, answer, as)
}

export function observationOf(server, answer, as = 'html') {
  const location = answer.headers.get('location')
  return {
    server: server.name,
    status: answer.status,
    cache: answer.cache,
    location: location === null ? null : withoutHost(location),
    facts: HEADERS[as].rsc ? factsInFlight(answer.body) : pick(answer.facts),
  }
}

export async function visitImage(server, path) {
  const response = await fetch(server.url + path)
  const body = Buffer.from(await response.arrayBuffer())
  return {
    server: server.name,
    status: response.status,
    cache: response.headers.get('x-nextjs-cache'),
    location: null,
    body: `${response.headers.get('content-type')} ${createHash('sha256').update(body).digest('hex').slice(0, 8)}`,
    facts: {},
  }
}

function withoutHost(location) {
  const url = new URL(location, 'http://store')
  return url.pathname
}

/** Facts in the payload that the browser's router asks for: JSON within a JSON string. */
function factsInFlight(body) {
  const facts = {}
  for (const [, json] of body.matchAll(/"__html":("\{\\"reader(?:[^"\\]|\\.)*")/g)) {
    const one = JSON.parse(JSON.parse(json))
    facts[one.reader] = one
  }
  return pick(facts)
}

function pick(facts) {
  return Object.fromEntries(
    Object.entries(facts).map(([reader, { version, serial, render }]) => [
      reader,
      { version, serial, render },
    ]),
  )
}

/** The hidden inputs of the forms on /actions/[id]: the same for every id and for every replica of a build. */
export async function actionIdsOf(server) {
  const page = await visit(server.url, '/actions/forms')
  return Object.fromEntries(
    [...page.body.matchAll(/<form data-action="(\w+)".*?name="(\$ACTION_ID_[0-9a-f]+)"/gs)].map(
      ([, action, id]) => [action, id],
    ),
  )
}

export async function submit(server, path, actionId, fields) {
  const data = new FormData()
  data.set(actionId, '')
  for (const [name, value] of Object.entries(fields)) data.set(name, value)
  const answer = await visit(server.url, path, {
    method: 'POST',
    body: data,
    headers: { origin: server.url },
  })
  return observationOf(server, answer)
}

/** The cookie of a visitor in draft mode. */
export async function draftCookieOf(server) {
  const response = await fetch(`${server.url}/api/control`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ action: 'draft', enable: true }),
  })
  const cookie = response.headers.getSetCookie().find((one) => one.startsWith('__prerender_bypass='))
  if (!cookie) throw new Error(`${server.url} set no cookie for draft mode: ${response.status}`)
  return cookie.split(';')[0]
}

export async function postJson(server, path, body) {
  const response = await fetch(server.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
  })
  await response.arrayBuffer()
  return { server: server.name, status: response.status, cache: null, location: null, facts: {} }
}
