import type { Entry, PackedValue } from '../../src/entry'
import { fromJsonNumber, type JsonNumber, toJsonNumber } from '../../src/json-number'
import { SectionReader, type SectionInfo, SectionWriter } from '../../src/sections'
import type { Bytes } from '../../src/units'
import type { CacheControl, ResponseKind, ResponseValue } from './next-types'
import { TAGS_HEADER } from './stale-mark'

/** What the entry says of itself: the detail does not repeat it. */
export type Told = Pick<Entry, 'tags' | 'revalidate' | 'expire'>

/** The kinds of values; the first is a cached not-found. A new one goes to the end. */
const KINDS = ['NULL', 'APP_PAGE', 'APP_ROUTE', 'PAGES', 'REDIRECT', 'FETCH', 'IMAGE'] as const satisfies (
  | ResponseKind
  | 'NULL'
)[]

/**
 * A value of `cacheHandler`, packed: facts as JSON, content as sections. Of facts, null stands for undefined:
 *
 * ```
 * APP_PAGE, APP_ROUTE, PAGES   parts (a sum of those below), status, headers; of segments, if there are any, the paths
 * FETCH                        data without its body; tags, 1: those of the entry; revalidate, unless it is the entry's;
 *                              no section: no body
 * IMAGE                        etag, upstreamEtag, extension; revalidate, if there is one
 * ```
 */
type ResponseDetail = [
  /** index in KINDS */
  kind: number,
  sections: readonly SectionInfo[],
  /** as Next gave it to `set`; 0: it gave none, 1: what the life of the entry was made of */
  cacheControl: [revalidate: JsonNumber | false, expire?: JsonNumber] | 0 | 1,
  ...facts: unknown[],
]

const HAS_TAGS_HEADER = 1
const HAS_RSC = 2
const HAS_POSTPONED = 4

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
  const facts = packFacts(value, sections, told)
  const kind = KINDS.indexOf(value?.kind ?? 'NULL')
  const detail: ResponseDetail = [kind, sections.infos, packControl(cacheControl, told), ...facts]
  return { detail, chunks: sections.chunks }
}

function packControl(control: CacheControl | undefined, told: Told): ResponseDetail[2] {
  if (control === undefined) return 0
  if (isTold(control, told)) return 1
  const { revalidate, expire } = control
  const packed: JsonNumber | false = revalidate === false ? false : toJsonNumber(revalidate)
  return expire === undefined ? [packed] : [packed, toJsonNumber(expire)]
}

function unpackControl(packed: ResponseDetail[2], told: Told): CacheControl | undefined {
  if (packed === 0) return undefined
  if (packed === 1) return toldControl(told)
  const [revalidate, expire] = packed
  const control: CacheControl = { revalidate: revalidate === false ? false : fromJsonNumber(revalidate) }
  if (expire !== undefined) control.expire = fromJsonNumber(expire)
  return control
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
function packFacts(value: ResponseValue | null, sections: SectionWriter, told: Told): unknown[] {
  if (value === null) return []
  switch (value.kind) {
    case 'APP_PAGE': {
      const { html, rscData, postponed, segmentData } = value
      let parts = 0
      sections.text(html)
      if (rscData !== undefined) {
        sections.bytes(rscData)
        parts |= HAS_RSC
      }
      if (postponed !== undefined) {
        sections.text(postponed)
        parts |= HAS_POSTPONED
      }
      for (const segment of segmentData?.values() ?? []) sections.bytes(segment)
      const facts = packAnswer(value, told, parts)
      if (segmentData !== undefined) facts.push([...segmentData.keys()])
      return facts
    }
    case 'APP_ROUTE':
      sections.bytes(value.body)
      return packAnswer(value, told)
    case 'PAGES':
      sections.text(value.html).text(JSON.stringify(value.pageData))
      return packAnswer(value, told)
    case 'REDIRECT':
      sections.text(JSON.stringify(value.props))
      return []
    case 'FETCH': {
      const { body, ...data } = value.data
      if (body !== undefined) sections.base64OrText(body)
      const facts: unknown[] = [data, isTagged(value.tags, told) ? 1 : (value.tags ?? null)]
      if (value.revalidate !== told.revalidate) facts.push(toJsonNumber(value.revalidate))
      return facts
    }
    case 'IMAGE': {
      const { etag, upstreamEtag, extension, revalidate } = value
      sections.bytes(value.buffer)
      const facts: unknown[] = [etag, upstreamEtag, extension]
      if (revalidate !== undefined) facts.push(toJsonNumber(revalidate))
      return facts
    }
    default:
      // Of a later Next.js: it has no index, and whoever reads it counts a miss.
      return []
  }
}

/** The tags are in a header, too: long ones, since each segment of a path is one. */
function packAnswer(
  { status, headers }: { status?: number | undefined; headers?: Headers | undefined },
  { tags }: Told,
  parts = 0,
): unknown[] {
  if (headers?.[TAGS_HEADER] !== tags.join(',')) return [parts, status ?? null, headers ?? null]
  const { [TAGS_HEADER]: _, ...others } = headers
  return [parts | HAS_TAGS_HEADER, status ?? null, others]
}

function isTagged(tags: readonly string[] | undefined, told: Told): boolean {
  return tags?.length === told.tags.length && tags.every((tag, index) => tag === told.tags[index])
}

/**
 * The buffers of the value are views into the body.
 *
 * @throws when detail and body do not make up a value
 */
export function readContent(detail: unknown, body: Buffer, told: Told): ResponseContent {
  if (!Array.isArray(detail)) throw new Error('no detail')
  const [index, infos, control, ...facts] = detail as ResponseDetail
  const sections = new SectionReader(infos, body)
  const kind = KINDS[index]
  const value = valueOf(kind, facts, sections, told)
  const json = kind === 'PAGES' || kind === 'REDIRECT' ? sections.text() : undefined
  if (sections.remaining !== 0) throw new Error('sections left over')
  const bytes = sections.decodedBytes + infos.length * PART_BYTES
  return { value, json, cacheControl: unpackControl(control, told), bytes }
}

function valueOf(
  kind: (typeof KINDS)[number] | undefined,
  facts: readonly unknown[],
  sections: SectionReader,
  told: Told,
): ResponseValue | null {
  switch (kind) {
    case 'NULL':
      return null
    case 'APP_PAGE': {
      const [parts, status, headers, paths] = facts
      const page: Extract<ResponseValue, { kind: 'APP_PAGE' }> = { kind, html: sections.text() }
      if (has(parts, HAS_RSC)) page.rscData = sections.bytes()
      if (has(parts, HAS_POSTPONED)) page.postponed = sections.text()
      if (paths !== undefined)
        page.segmentData = new Map(strings(paths).map((path) => [path, sections.bytes()]))
      if (headers !== null) page.headers = unpackHeaders(parts, headers, told)
      if (status !== null) page.status = unpackStatus(status)
      return page
    }
    case 'APP_ROUTE': {
      const [parts, status, headers] = facts
      return {
        kind,
        body: sections.bytes(),
        headers: unpackHeaders(parts, headers, told),
        status: unpackStatus(status),
      }
    }
    case 'PAGES': {
      const [parts, status, headers] = facts
      const page: Extract<ResponseValue, { kind: 'PAGES' }> = { kind, html: sections.text(), pageData: {} }
      if (headers !== null) page.headers = unpackHeaders(parts, headers, told)
      if (status !== null) page.status = unpackStatus(status)
      return page
    }
    case 'REDIRECT':
      return { kind, props: {} }
    case 'FETCH': {
      const [stored, tags, revalidate] = facts
      const data = object(stored)
      const url = string(data['url'])
      const fetchedHeaders = object<string>(data['headers'])
      const fetched: Extract<ResponseValue, { kind: 'FETCH' }> = {
        kind,
        data: { ...data, headers: fetchedHeaders, url },
        revalidate: revalidate === undefined ? told.revalidate : fromJsonNumber(revalidate),
      }
      if (sections.remaining > 0) fetched.data.body = sections.text()
      if (tags === 1) fetched.tags = [...told.tags]
      else if (tags !== null) fetched.tags = strings(tags)
      return fetched
    }
    case 'IMAGE': {
      const [etag, upstreamEtag, extension, revalidate] = facts
      const image: Extract<ResponseValue, { kind: 'IMAGE' }> = {
        kind,
        buffer: sections.bytes(),
        etag: string(etag),
        upstreamEtag: string(upstreamEtag),
        extension: string(extension),
      }
      if (revalidate !== undefined) image.revalidate = fromJsonNumber(revalidate)
      return image
    }
    default:
      throw new Error('unknown kind')
  }
}

function has(parts: unknown, part: number): boolean {
  if (!Number.isSafeInteger(parts)) throw new Error('no list of parts')
  return ((parts as number) & part) !== 0
}

/** What Node.js would throw at when Next answers with it is no value. */
function unpackHeaders(parts: unknown, headers: unknown, { tags }: Told): Record<string, string | string[]> {
  const all = object<string | string[]>(headers)
  for (const name in all) {
    const header: unknown = all[name]
    if (typeof header !== 'string' && typeof header !== 'number') strings(header)
  }
  if (has(parts, HAS_TAGS_HEADER)) all[TAGS_HEADER] = tags.join(',')
  return all
}

function unpackStatus(status: unknown): number {
  const code = fromJsonNumber(status)
  if (!Number.isInteger(code) || code < 100 || code > 999) throw new Error('no status')
  return code
}

/** @throws when it is no object */
export function object<T = unknown>(value: unknown): Record<string, T> {
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
