import type { Entry, PackedValue } from '../../src/entry'
import { fromJsonNumber, type JsonNumber, toJsonNumber } from '../../src/json-number'
import { SectionReader, type SectionInfo, SectionWriter } from '../../src/sections'
import type { Bytes } from '../../src/units'
import type { CacheControl, ResponseKind, ResponseValue } from './next-types'
import { TAGS_HEADER } from './stale-mark'

/** What the entry says of itself: the detail does not repeat it. */
export type Told = Pick<Entry, 'tags' | 'revalidate' | 'expire'>

/** A value of `cacheHandler`, packed: facts as JSON, content as sections. */
interface ResponseDetail {
  /** 'NULL' is a cached not-found. */
  k: ResponseKind | 'NULL'
  s: SectionInfo[]
  /** cacheControl as Next gave it to `set`; 1: what the life of the entry was made of */
  c?: { r: JsonNumber | false; e?: JsonNumber } | 1
  /** what is neither content nor cacheControl, by kind */
  x: object
}

/** What a string or buffer needs besides its content, a segment its slot in the Map included; measured, rounded up. */
export const PART_BYTES: Bytes = 192

type Headers = Readonly<Record<string, undefined | string | string[]>>

/** A value as it is decoded once; whoever is to get it gets a copy (`freshValue`). */
export interface ResponseContent {
  readonly value: ResponseValue | null
  /** The part of the value that may be of any depth, `pageData` or `props`: parsed anew for each copy. */
  readonly json: string | undefined
  readonly cacheControl: CacheControl | undefined
  /** What it keeps alive. */
  readonly bytes: Bytes
}

export function packResponse(
  value: ResponseValue | null,
  cacheControl: CacheControl | undefined,
  told: Told,
): PackedValue {
  const sections = new SectionWriter()
  const x = extrasOf(value, sections, told)
  const detail: ResponseDetail = { k: value?.kind ?? 'NULL', s: sections.infos, x }
  if (cacheControl !== undefined && isTold(cacheControl, told)) {
    detail.c = 1
  } else if (cacheControl !== undefined) {
    const { revalidate, expire } = cacheControl
    detail.c = { r: revalidate === false ? false : toJsonNumber(revalidate) }
    if (expire !== undefined) detail.c.e = toJsonNumber(expire)
  }
  return { detail, chunks: sections.chunks }
}

/** Next says `false`, and nothing, for what the life of an entry calls `Infinity`. */
function toldControl({ revalidate, expire }: Told): CacheControl {
  const control: CacheControl = { revalidate: revalidate === Infinity ? false : revalidate }
  if (expire !== Infinity) control.expire = expire
  return control
}

function isTold({ revalidate, expire }: CacheControl, told: Told): boolean {
  const control = toldControl(told)
  return revalidate === control.revalidate && expire === control.expire
}

/** Writes the content of the value into sections and returns the rest. */
function extrasOf(value: ResponseValue | null, sections: SectionWriter, told: Told): object {
  if (value === null) return {}
  switch (value.kind) {
    case 'APP_PAGE': {
      const { html, rscData, postponed, segmentData, headers, status } = value
      sections.text(html)
      if (rscData !== undefined) sections.bytes(rscData)
      if (postponed !== undefined) sections.text(postponed)
      for (const segment of segmentData?.values() ?? []) sections.bytes(segment)
      return {
        ...packHeaders(headers, told),
        ...packStatus(status),
        ...(rscData !== undefined && { rsc: 1 }),
        ...(postponed !== undefined && { postponed: 1 }),
        segments: segmentData && [...segmentData.keys()],
      }
    }
    case 'APP_ROUTE':
      sections.bytes(value.body)
      return { ...packHeaders(value.headers, told), ...packStatus(value.status) }
    case 'PAGES':
      sections.text(value.html).text(JSON.stringify(value.pageData))
      return { ...packHeaders(value.headers, told), ...packStatus(value.status) }
    case 'REDIRECT':
      sections.text(JSON.stringify(value.props))
      return {}
    case 'FETCH': {
      const { body, ...data } = value.data
      sections.base64OrText(body)
      return {
        data,
        ...(isTagged(value.tags, told) ? { tagged: 1 } : { tags: value.tags }),
        ...(value.revalidate !== told.revalidate && { revalidate: toJsonNumber(value.revalidate) }),
      }
    }
    case 'IMAGE': {
      const { etag, upstreamEtag, extension, revalidate } = value
      sections.bytes(value.buffer)
      return { etag, upstreamEtag, extension, revalidate }
    }
  }
}

/** The tags are in a header, too: long ones, since each segment of a path is one. */
function packHeaders(headers: Headers | undefined, { tags }: Told): object {
  if (headers?.[TAGS_HEADER] !== tags.join(',')) return { headers }
  const { [TAGS_HEADER]: _, ...others } = headers
  return { headers: others, tagged: 1 }
}

function isTagged(tags: readonly string[] | undefined, told: Told): boolean {
  return tags?.length === told.tags.length && tags.every((tag, index) => tag === told.tags[index])
}

/** Nearly all of them are 200. */
function packStatus(status: number | undefined): object {
  return status === 200 ? {} : { status: status ?? 0 }
}

/**
 * The buffers of the value are views into the body.
 *
 * @throws when detail and body do not make up a value
 */
export function readContent(detail: unknown, body: Buffer, told: Told): ResponseContent {
  const { k, s, c, x } = detail as ResponseDetail
  if (typeof x !== 'object' || x === null) throw new Error('no facts')
  const sections = new SectionReader(s, body)
  const value = valueOf(k, x as Record<string, unknown>, sections, told)
  const json = k === 'PAGES' || k === 'REDIRECT' ? sections.text() : undefined
  if (sections.remaining !== 0) throw new Error('sections left over')
  let cacheControl: CacheControl | undefined
  if (c === 1) {
    cacheControl = toldControl(told)
  } else if (c !== undefined) {
    cacheControl = { revalidate: c.r === false ? false : fromJsonNumber(c.r) }
    if (c.e !== undefined) cacheControl.expire = fromJsonNumber(c.e)
  }
  const bytes = sections.decodedBytes + (s as unknown[]).length * PART_BYTES
  return { value, json, cacheControl, bytes }
}

function valueOf(
  kind: string,
  x: Record<string, unknown>,
  sections: SectionReader,
  told: Told,
): ResponseValue | null {
  switch (kind) {
    case 'NULL':
      return null
    case 'APP_PAGE': {
      const page: Extract<ResponseValue, { kind: 'APP_PAGE' }> = { kind, html: sections.text() }
      if (x['rsc'] === 1) page.rscData = sections.bytes()
      if (x['postponed'] === 1) page.postponed = sections.text()
      if (x['segments'] !== undefined) {
        page.segmentData = new Map(strings(x['segments']).map((path) => [path, sections.bytes()]))
      }
      return Object.assign(page, statusAndHeaders(x, told))
    }
    case 'APP_ROUTE':
      return {
        kind,
        body: sections.bytes(),
        headers: headers(x, told),
        status: status(x['status']),
      }
    case 'PAGES':
      return {
        kind,
        html: sections.text(),
        pageData: {},
        ...statusAndHeaders(x, told),
      }
    case 'REDIRECT':
      return { kind, props: {} }
    case 'FETCH': {
      const data = record(x['data'])
      const url = string(data['url'])
      const fetchedHeaders = record<string>(data['headers'])
      const fetched: Extract<ResponseValue, { kind: 'FETCH' }> = {
        kind,
        data: { ...data, headers: fetchedHeaders, url, body: sections.text() },
        revalidate: x['revalidate'] === undefined ? told.revalidate : fromJsonNumber(x['revalidate']),
      }
      if (x['tagged'] === 1) fetched.tags = [...told.tags]
      else if (x['tags'] !== undefined) fetched.tags = strings(x['tags'])
      return fetched
    }
    case 'IMAGE': {
      const image: Extract<ResponseValue, { kind: 'IMAGE' }> = {
        kind,
        buffer: sections.bytes(),
        etag: string(x['etag']),
        upstreamEtag: string(x['upstreamEtag']),
        extension: string(x['extension']),
      }
      if (x['revalidate'] !== undefined) image.revalidate = fromJsonNumber(x['revalidate'])
      return image
    }
    default:
      throw new Error('unknown kind')
  }
}

function statusAndHeaders(x: Record<string, unknown>, told: Told) {
  return {
    ...(x['headers'] === undefined ? {} : { headers: headers(x, told) }),
    ...(x['status'] === 0 ? {} : { status: status(x['status']) }),
  }
}

/** What Node.js would throw at when Next answers with it is no value. */
function headers(x: Record<string, unknown>, { tags }: Told): Record<string, string | string[]> {
  const all = record<string | string[]>(x['headers'])
  for (const name in all) {
    const header: unknown = all[name]
    if (typeof header !== 'string' && typeof header !== 'number') strings(header)
  }
  if (x['tagged'] === 1) all[TAGS_HEADER] = tags.join(',')
  return all
}

function status(value: unknown): number {
  if (value === undefined) return 200
  const code = fromJsonNumber(value)
  if (!Number.isInteger(code) || code < 100 || code > 999) throw new Error('no status')
  return code
}

/** @throws when it is no object */
export function record<T = unknown>(value: unknown): Record<string, T> {
  if (typeof value !== 'object' || value === null) throw new Error('expected an object')
  return value as Record<string, T>
}

function string(value: unknown): string {
  if (typeof value !== 'string') throw new Error('expected a string')
  return value
}

function strings(value: unknown): string[] {
  if (!Array.isArray(value)) throw new Error('expected a list')
  return value.map(string)
}
