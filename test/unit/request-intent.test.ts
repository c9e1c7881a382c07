import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { generatesAfter, watchAnswers, watchPrefetches } from '../../runtime/handlers/request-intent'

const PPR = { isRoutePPREnabled: true }
const CLASSIC = { isRoutePPREnabled: false }
const NEWEST = { honoursCacheControl: true }

describe('what Next does after it read a response', () => {
  let seen: IncomingHttpHeaders
  let copy: IncomingHttpHeaders
  const server = createServer((request, response) => {
    // As Next does before it reads its cache.
    delete request.headers['next-router-prefetch']
    seen = request.headers
    // As Next's server does: the cache of the request knows its headers by a copy.
    copy = { ...seen }
    const meta = { incrementalCache: { requestHeaders: copy } }
    Object.assign(request, { [Symbol.for('NextInternalRequestMeta')]: meta })
    response.statusCode = request.url === '/fails' ? 500 : 200
    response.end()
  })
  const answered = new Map<object, boolean>()
  beforeAll(async () => {
    watchPrefetches()
    watchAnswers((headers, hasFailed) => void answered.set(headers, hasFailed))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterAll(() => void server.close())

  const request = (headers: Record<string, string>, path = '/') =>
    fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, { headers })

  async function afterRequest(headers: Record<string, string>, read = PPR) {
    await request(headers)
    return generatesAfter({ _requestHeaders: seen }, read, NEWEST)
  }

  it('knows a prefetch by the header that it came with, after Next deleted it', async () => {
    expect(await afterRequest({ rsc: '1', 'next-router-prefetch': '1' })).toBe('whenMissing')
    expect(await afterRequest({ 'next-router-prefetch': '1' }, CLASSIC)).toBe('whenMissing')
    expect(await afterRequest({ purpose: 'prefetch' })).toBe('whenMissing')
    expect(await afterRequest({})).toBe('always')
  })

  it('knows a request that generates nothing where there is nothing', async () => {
    const headers = { 'x-prerender-revalidate': 'secret', 'x-prerender-revalidate-if-generated': '1' }
    expect(await afterRequest(headers, CLASSIC)).toBe('whenOld')
  })

  it('tells the headers of a request that was answered, the same objects, and whether it failed', async () => {
    const outcomes: unknown[] = []
    for (const path of ['/', '/fails']) {
      await request({}, path)
      const headers = seen
      await expect.poll(() => answered.has(headers)).toBe(true)
      outcomes.push([answered.get(headers), answered.get(copy)])
    }
    expect(outcomes).toEqual([
      [false, false],
      [true, true],
    ])
  })

  it('before 16.4 no entry follows a miss of a partially prerendered page', () => {
    const old = { honoursCacheControl: false }
    expect(generatesAfter({ _requestHeaders: {} }, PPR, old)).toBe('whenOld')
    expect(generatesAfter({ _requestHeaders: {} }, CLASSIC, old)).toBe('always')
  })

  it('knows a navigation by the header that Next left', async () => {
    expect(await afterRequest({ rsc: '1' })).toBe('whenOld')
    expect(await afterRequest({ rsc: '1', 'next-router-prefetch': '2' })).toBe('whenOld')
    expect(await afterRequest({ rsc: '1' }, CLASSIC)).toBe('always')
  })

  it('knows a server action', () => {
    const after = (headers: Record<string, string>) =>
      generatesAfter({ _requestHeaders: headers }, PPR, NEWEST)
    expect(after({ 'next-action': '4d' })).toBe('whenOld')
    expect(after({ 'content-type': 'multipart/form-data; boundary=x' })).toBe('whenOld')
    expect(after({ 'content-type': 'application/json' })).toBe('always')
  })

  it('assumes that something is generated where there are no headers', () => {
    expect(generatesAfter({}, PPR, NEWEST)).toBe('always')
  })
})
