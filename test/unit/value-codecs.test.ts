import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CacheControl, ResponseValue } from '../../runtime/handlers/next-types'
import { packResponse, PART_BYTES, readContent, type Told } from '../../runtime/handlers/response-codec'
import { detached, freshValue } from '../../runtime/handlers/response-content'
import { drain, packUseCache, streamOf, unpackUseCache } from '../../runtime/handlers/use-cache-codec'
import { unpackResponse } from '../support/unpack-response'

const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.constant('lone \ud800 surrogate'))
const bytes = fc.uint8Array().map((value) => Buffer.from(value))
const headers = fc.dictionary(fc.string({ minLength: 1 }), fc.oneof(fc.string(), fc.array(fc.string())), {
  noNullPrototype: true,
})
const status = fc.integer({ min: 100, max: 599 })
const json = fc
  .dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true })
  .map((value) => JSON.parse(JSON.stringify(value)) as object)
const seconds = fc.oneof(fc.nat(), fc.constant(Infinity))

const appPage = fc
  .record({
    html: text,
    rscData: fc.option(bytes, { nil: undefined }),
    postponed: fc.option(text, { nil: undefined }),
    headers: fc.option(headers, { nil: undefined }),
    status: fc.option(status, { nil: undefined }),
    segmentData: fc.option(
      fc.array(fc.tuple(text, bytes), { maxLength: 4 }).map((list) => new Map(list)),
      { nil: undefined },
    ),
  })
  .map((page) => ({ kind: 'APP_PAGE' as const, ...page }))

const values: Record<string, fc.Arbitrary<ResponseValue | null>> = {
  APP_PAGE: appPage,
  APP_ROUTE: fc.record({ kind: fc.constant('APP_ROUTE' as const), body: bytes, headers, status }),
  PAGES: fc.record({ kind: fc.constant('PAGES' as const), html: text, pageData: json, headers, status }),
  REDIRECT: fc.record({ kind: fc.constant('REDIRECT' as const), props: json }),
  FETCH: fc.record({
    kind: fc.constant('FETCH' as const),
    data: fc.record({
      headers: fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true }),
      body: fc.oneof(
        text,
        bytes.map((value) => value.toString('base64')),
        // An `unstable_cache` function that returned nothing.
        fc.constant(undefined),
      ),
      url: fc.webUrl(),
      status,
    }),
    tags: fc.option(fc.array(text), { nil: undefined }),
    revalidate: seconds,
  }),
  IMAGE: fc.record({
    kind: fc.constant('IMAGE' as const),
    etag: fc.string(),
    upstreamEtag: fc.string(),
    buffer: bytes,
    extension: fc.string(),
    revalidate: fc.nat(),
  }),
  'not found': fc.constant(null),
}

const cacheControl = fc.option(
  fc.oneof(
    fc.record({ revalidate: fc.oneof(seconds, fc.constant(false as const)), expire: seconds }),
    fc.record({ revalidate: fc.oneof(seconds, fc.constant(false as const)) }),
  ),
  { nil: undefined },
)

const anyTold: fc.Arbitrary<Told> = fc.record({ tags: fc.array(text), revalidate: seconds, expire: seconds })
const NOTHING_TOLD: Told = { tags: [], revalidate: Infinity, expire: Infinity }

/** What an entry tells of the value in it. */
function toldBy(value: ResponseValue | null, control: CacheControl | undefined): Told {
  const isFetch = value?.kind === 'FETCH'
  const header = value !== null && 'headers' in value ? value.headers?.['x-next-cache-tags'] : undefined
  const { revalidate = false, expire = Infinity } = control ?? {}
  return {
    tags: isFetch ? (value.tags ?? []) : typeof header === 'string' ? header.split(',') : [],
    revalidate: isFetch ? value.revalidate : revalidate === false ? Infinity : revalidate,
    expire,
  }
}

/** What is undefined in a value is absent after a round trip; both mean the same to Next. */
function withoutUndefined<T extends object | null>(value: T): T {
  if (value === null) return value
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T
}

describe('values of cacheHandler survive a round trip', () => {
  it.each(Object.keys(values))('%s', (kind) => {
    fc.assert(
      fc.property(
        values[kind] as fc.Arbitrary<ResponseValue | null>,
        cacheControl,
        fc.option(anyTold, { nil: undefined }),
        (value, control, other) => {
          const frozen = value === null ? null : Object.freeze(value)
          const told = other ?? toldBy(value, control)
          const { detail, chunks } = packResponse(frozen, control, told)
          const unpacked = unpackResponse(JSON.parse(JSON.stringify(detail)), Buffer.concat(chunks), told)
          expect(unpacked.value).toEqual(withoutUndefined(value))
          expect(unpacked.cacheControl).toEqual(control)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('what the entry says itself is not stored again', () => {
    const headers = { 'x-next-cache-tags': 'one,_N_T_/a/layout', 'content-type': 'text/html' }
    const page: ResponseValue = { kind: 'APP_PAGE', html: 'x', headers, status: 200 }
    const control = { revalidate: 60, expire: 90 }
    const stored = JSON.stringify(packResponse(page, control, toldBy(page, control)).detail)
    expect(stored).toBe('[1,[5],1,1,200,{"content-type":"text/html"}]')
    const read = unpackResponse(JSON.parse(stored), Buffer.from('x'), toldBy(page, control))
    expect(read).toEqual({ value: page, cacheControl: control })
    const data = { headers: {}, body: '', url: '/' }
    const fetched: ResponseValue = { kind: 'FETCH', data, revalidate: 60, tags: ['one'] }
    const { detail } = packResponse(fetched, undefined, toldBy(fetched, undefined))
    expect(detail).toEqual([5, [1], 0, { headers: {}, url: '/' }, 1])
    expect(JSON.stringify(detail)).not.toMatch(/one|60/)
    expect(unpackResponse(detail, Buffer.alloc(0), toldBy(fetched, undefined)).value).toEqual(fetched)
  })

  it('a base64 body is stored as the bytes it stands for', () => {
    const body = Buffer.alloc(3000, 7).toString('base64')
    const { chunks } = packResponse(
      { kind: 'FETCH', data: { headers: {}, body, url: 'http://localhost/' }, revalidate: 60 },
      undefined,
      NOTHING_TOLD,
    )
    expect(chunks.map((chunk) => chunk.byteLength)).toEqual([3000])
  })

  it('a kind of a later Next.js is packed, and throws when it is read, for the handler to count as a miss', () => {
    const { detail, chunks } = packResponse({ kind: 'SHELL' } as never, undefined, NOTHING_TOLD)
    expect(() => unpackResponse(detail, Buffer.concat(chunks), NOTHING_TOLD)).toThrow('unknown kind')
  })

  it('a detail that does not fit the body throws, for the handler to count as a miss', () => {
    fc.assert(
      fc.property(appPage, fc.jsonValue(), fc.uint8Array({ maxLength: 50 }), (page, junk, body) => {
        const { detail } = packResponse(page, undefined, NOTHING_TOLD)
        expect(() =>
          unpackResponse((detail as unknown[]).with(1, junk), Buffer.from(body), NOTHING_TOLD),
        ).toThrow()
        expect(() => unpackResponse(junk, Buffer.from(body), NOTHING_TOLD)).toThrow()
      }),
    )
  })
})

/** Changes everything in a value that can be changed, but the bytes of buffers. */
function spoil(value: unknown): void {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return
  if (value instanceof Map) return void value.set('spoilt', Buffer.alloc(1)).delete(value.keys().next().value)
  for (const part of Object.values(value)) spoil(part)
  if (Array.isArray(value)) return void value.push('spoilt')
  for (const name of Object.keys(value)) delete (value as Record<string, unknown>)[name]
  Object.assign(value, { spoilt: true })
}

/** What a value keeps alive: text as V8 holds it at most, and bytes. */
function keptAlive(value: unknown): number {
  if (value instanceof Uint8Array) return value.byteLength
  if (typeof value !== 'string') return 0
  return value.length * (Buffer.byteLength(value) === value.length ? 1 : 2)
}

describe('the content that local memory keeps of a value', () => {
  it.each(Object.keys(values))('is not changed through what was handed out, nor by its body: %s', (kind) => {
    fc.assert(
      fc.property(values[kind] as fc.Arbitrary<ResponseValue | null>, (value) => {
        const { detail, chunks } = packResponse(value, undefined, NOTHING_TOLD)
        const body = Buffer.concat(chunks)
        const content = detached(readContent(JSON.parse(JSON.stringify(detail)), body, NOTHING_TOLD))
        const expected = withoutUndefined(value)
        body.fill(255)
        for (let read = 0; read < 2; read++) {
          const fresh = freshValue(content)
          expect(fresh).toEqual(expected)
          spoil(fresh)
        }
      }),
      { numRuns: 100, seed: 20261122 },
    )
  })

  it('says how much text and bytes it keeps alive', () => {
    fc.assert(
      fc.property(appPage, (page) => {
        const { detail, chunks } = packResponse(page, undefined, NOTHING_TOLD)
        const body = Buffer.concat(chunks)
        const { bytes, value } = readContent(JSON.parse(JSON.stringify(detail)), body, NOTHING_TOLD)
        const { html, postponed, rscData, segmentData } = value as typeof page
        const parts = [html, postponed, rscData, ...(segmentData?.values() ?? [])].filter(
          (part) => part !== undefined,
        )
        expect(bytes).toBe(parts.reduce<number>((total, part) => total + keptAlive(part) + PART_BYTES, 0))
      }),
      { seed: 20261122 },
    )
  })
})

describe('entries of use cache', () => {
  it('keep what the router cache of the client is told, Infinity included', () => {
    const { detail } = packUseCache({ stale: Infinity }, [])
    expect(unpackUseCache(JSON.parse(JSON.stringify(detail)))).toEqual({ stale: Infinity })
  })

  it('a new stream yields the same bytes each time', async () => {
    const content = Buffer.from('content')
    for (let i = 0; i < 2; i++) expect(await drain(streamOf(content), 100)).toEqual(content)
  })

  it('a stream past the bound is cancelled, not collected', async () => {
    let cancelled = false
    let pulled = 0
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        pulled++
        controller.enqueue(new Uint8Array(10))
      },
      cancel: () => void (cancelled = true),
    })
    expect(await drain(endless, 35)).toBeUndefined()
    expect(cancelled).toBe(true)
    expect(pulled).toBeLessThan(10)
  })
})
