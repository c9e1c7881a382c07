import { once } from 'node:events'
import { createServer, request as open, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ImageRequests } from '../../runtime/handlers/image-requests'

describe('which image requests were under way', () => {
  let over: object[] = []
  const images = new ImageRequests((ask) => void over.push(ask))
  const arrived = new Map<string, ServerResponse>()
  const server = createServer((request, response) => {
    arrived.set(request.url ?? '', response)
    server.emit('arrived')
  })
  beforeAll(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  beforeEach(() => void (over = []))
  afterAll(() => void server.close())

  /** Resolves when the server has the request. */
  async function visit(path: string) {
    const hasArrived = once(server, 'arrived')
    const { port } = server.address() as AddressInfo
    const visitor = open({ port, host: '127.0.0.1', path, agent: false }).on('error', () => {})
    visitor.on('response', (response) => response.resume())
    visitor.end()
    await hasArrived
    const response = arrived.get(path) as ServerResponse
    const closed = once(response, 'close')
    return {
      answer: async () => (response.end(), closed),
      goAway: async () => (visitor.destroy(), closed),
    }
  }

  it('tells when all that were under way are answered, whichever ends first', async () => {
    const first = await visit('/_next/image?url=1')
    const second = await visit('/docs/_next/image?url=2')
    const ask = images.ask()
    const third = await visit('/_next/image?url=3')
    const another = images.ask()
    expect(ask).toBeDefined()
    await second.answer()
    expect(over).toEqual([])
    await first.answer()
    expect(over).toEqual([ask])
    await third.answer()
    expect(over).toEqual([ask, another])
  })

  it('knows nothing of other requests, and nothing once all are answered', async () => {
    const page = await visit('/page')
    expect(images.ask()).toBeUndefined()
    await page.answer()
    await (await visit('/_next/image?url=4')).answer()
    expect(images.ask()).toBeUndefined()
  })

  it('remembers a thousand, while somebody reads slowly', async () => {
    const slow = await visit('/_next/image?url=7')
    const asks = Array.from({ length: 5_000 }, () => images.ask())
    await slow.answer()
    expect(over).toEqual(asks.slice(-1_000))
  })

  it('never tells of what a visitor had asked for who went away', async () => {
    const first = await visit('/_next/image?url=5')
    const before = images.ask()
    const gone = await visit('/_next/image?url=6')
    images.ask()
    await gone.goAway()
    await first.answer()
    expect(over).toEqual([before])
  })
})
