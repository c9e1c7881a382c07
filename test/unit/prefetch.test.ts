import { createServer, type IncomingHttpHeaders } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isPrefetch, watchPrefetches } from '../../runtime/handlers/prefetch'

describe('prefetches', () => {
  let seen: IncomingHttpHeaders
  const server = createServer((request, response) => {
    // As Next does before it reads its cache.
    delete request.headers['next-router-prefetch']
    seen = request.headers
    response.end()
  })
  beforeAll(async () => {
    watchPrefetches()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterAll(() => void server.close())

  async function isKnown(headers: Record<string, string>): Promise<boolean> {
    await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { headers })
    return isPrefetch({ _requestHeaders: seen })
  }

  it('are known by the headers that they came with, after Next deleted the one that tells', async () => {
    expect(await isKnown({ rsc: '1', 'next-router-prefetch': '1' })).toBe(true)
    expect(await isKnown({ rsc: '1', 'next-router-prefetch': '2' })).toBe(false)
    expect(await isKnown({ rsc: '1' })).toBe(false)
    expect(await isKnown({})).toBe(false)
    expect(await isKnown({ purpose: 'prefetch' })).toBe(true)
  })

  it('are not known where there are no headers', () => {
    expect(isPrefetch({})).toBe(false)
  })
})
