import { isAgeMark } from './age-mark'
import type { CacheHandlerValue, ResponseValue } from './next-types'
import type { NextAbilities } from './next-version'

/** The header in which a response carries its tags. Next removes it before it answers. */
export const TAGS_HEADER = 'x-next-cache-tags'

/**
 * Next decides by itself whether a response is stale by a tag: it compares its process-wide manifest of tags
 * with the tags header of the value. With a shared cache nobody writes that manifest, so a stale response is
 * marked with one tag of our own, and the manifest holds that one tag, stale for ever. Next then serves the
 * value and refreshes it in the background, `revalidate: false` pages included.
 *
 * Source: `IncrementalCache.get` and `tags-manifest.external` of next@16.2 to 16.4. It is internal, hence
 * the guard below and a contract test per version.
 */
export const STALE_MARK = '_ndc_stale'

interface TagsManifestModule {
  tagsManifest: Map<string, { stale?: number; expired?: number }>
  areTagsStale: (tags: string[], timestamp: number) => boolean
}

type StaleResponse = Pick<CacheHandlerValue, 'value' | 'lastModified' | 'cacheControl'>
export type MarkStale = (response: StaleResponse, now: number) => StaleResponse

export function createMarkStale(
  abilities: Pick<NextAbilities, 'honoursCacheControl'>,
  loadManifest: () => TagsManifestModule = requireManifest,
): MarkStale {
  const endLife = abilities.honoursCacheControl ? shortenLife : outliveLife
  if (!isManifestUsable(loadManifest)) return endLife
  // Of the Pages Router Next knows no tags.
  return (response, now) => (response.value?.kind === 'PAGES' ? endLife(response, now) : addMark(response))
}

function requireManifest(): TagsManifestModule {
  return require('next/dist/server/lib/incremental-cache/tags-manifest.external.js') as TagsManifestModule
}

function isManifestUsable(load: () => TagsManifestModule): boolean {
  try {
    const { tagsManifest, areTagsStale } = load()
    tagsManifest.set(STALE_MARK, { stale: Infinity })
    return areTagsStale([STALE_MARK], Date.now()) && !areTagsStale(['_ndc_other'], Date.now())
  } catch {
    return false
  }
}

function addMark(response: StaleResponse): StaleResponse {
  const { value } = response
  if (value === null || !('headers' in value)) return response
  const tags = value.headers?.[TAGS_HEADER]
  const marked = typeof tags === 'string' && tags !== '' ? `${tags},${STALE_MARK}` : STALE_MARK
  return {
    ...response,
    value: { ...value, headers: { ...value.headers, [TAGS_HEADER]: marked } } as ResponseValue,
  }
}

/** The public way, from Next 16.4 on: a life that has just ended. Costs the true age in the answer. */
function shortenLife(response: StaleResponse, now: number): StaleResponse {
  return { ...response, lastModified: now - 2_000, cacheControl: { ...response.cacheControl, revalidate: 1 } }
}

/** Before 16.4: older than the life that this process remembers. A life without end leaves only to render first. */
function outliveLife(response: StaleResponse, now: number): StaleResponse {
  const { revalidate } = response.cacheControl ?? {}
  return {
    ...response,
    lastModified: typeof revalidate === 'number' ? now - (revalidate + 1) * 1_000 : -1,
  }
}

/**
 * The value without marks of ours. Next writes a value back that we handed out when its refresh failed, and what
 * a page was made of may have carried the mark of its age.
 */
export function removeMark(value: ResponseValue | null): ResponseValue | null {
  if (value === null || !('headers' in value)) return value
  const tags = value.headers?.[TAGS_HEADER]
  if (typeof tags !== 'string') return value
  const all = tags.split(',')
  const rest = all.filter((tag) => tag !== STALE_MARK && !isAgeMark(tag))
  if (rest.length === all.length) return value
  const { [TAGS_HEADER]: _, ...headers } = value.headers ?? {}
  if (rest.length > 0) headers[TAGS_HEADER] = rest.join(',')
  return { ...value, headers } as ResponseValue
}

/** Tags of a response: only its header tells them. */
export function responseTags(value: ResponseValue | null): string[] {
  if (value === null || !('headers' in value)) return []
  const header = value.headers?.[TAGS_HEADER]
  const list = Array.isArray(header) ? header.join(',') : (header ?? '')
  return list.split(',').filter((tag) => tag !== '' && tag !== STALE_MARK)
}
