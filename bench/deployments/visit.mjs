// One visitor with a connection of its own.
import { get } from 'node:http'
import { factsIn } from '../../scripts/lib/store-client.mjs'

/** @returns {Promise<{ status: number, ttfbMs: number, version: number | undefined }>} */
export function visit(url, reader = 'bench') {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now()
    const request = get(url, { agent: false }, (response) => {
      let ttfbMs
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk) => {
        ttfbMs ??= performance.now() - startedAt
        body += chunk
      })
      response.on('error', reject)
      response.on('end', () => {
        resolve({
          status: response.statusCode,
          ttfbMs: ttfbMs ?? performance.now() - startedAt,
          version: factsIn(body)[reader]?.version,
        })
      })
    })
    request.on('error', reject)
    request.setTimeout(60_000, () => request.destroy(new Error(`${url} did not answer`)))
  })
}

/** @throws Error unless all are 200 */
export function assertAnswered(visits) {
  const bad = visits.filter(({ status }) => status !== 200)
  if (bad.length > 0) throw new Error(`${bad.length} of ${visits.length} answers were ${bad[0].status}`)
}
