// One request on a connection of its own: a kept connection that the server closes at that moment would look
// like a failure of the server.
import { request } from 'node:http'
import { factsIn } from '../../scripts/lib/store-client.mjs'

/**
 * Never rejects: an error is a status of its own.
 *
 * @param {string} url
 * @param {{ method?: string, json?: object, limitMs?: number }} [options]
 * @returns {Promise<{ status: number | string, ms: number, body: string }>}
 */
export function ask(url, { method = 'GET', json, limitMs = 60_000 } = {}) {
  const startedAt = performance.now()
  return new Promise((resolve) => {
    const done = (status, body = '') => {
      clearTimeout(timer)
      resolve({ status, ms: performance.now() - startedAt, body })
    }
    const headers = json === undefined ? {} : { 'content-type': 'application/json' }
    const outgoing = request(url, { method, headers, agent: false }, (response) => {
      const chunks = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.on('error', (error) => done(error.code ?? error.message))
      response.on('end', () => done(response.statusCode, Buffer.concat(chunks).toString()))
    })
    const timer = setTimeout(() => outgoing.destroy(new Error(`no answer within ${limitMs} ms`)), limitMs)
    outgoing.on('error', (error) => done(error.code ?? error.message))
    outgoing.end(json === undefined ? undefined : JSON.stringify(json))
  })
}

/** What the page or the route handler says of itself; undefined: nothing. */
export function factsOf({ status, body }, reader) {
  if (status !== 200) return undefined
  if (!body.startsWith('{')) return factsIn(body)[reader]
  const facts = JSON.parse(body)
  return facts.reader === reader ? facts : undefined
}

/** A page that fails after its shell was sent has said 200 already: then it lacks its content. */
export function statusOf(answer, reader) {
  return answer.status === 200 && factsOf(answer, reader) === undefined
    ? '200 without content'
    : answer.status
}
