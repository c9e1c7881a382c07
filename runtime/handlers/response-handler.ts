import type { Entry } from '../../src/entry'
import type { BuildOutput } from '../build-output/build-output'
import type { EntryScope } from '../../src/key-names'
import { localNow } from '../../src/server-time'
import type { Clock, LocalMillis, Seconds } from '../../src/units'
import type { Prerendered } from '../cache/build-tier'
import type { Cache } from '../cache/cache'
import type { CacheReadOptions } from '../cache/cache-read'
import type {
  CacheControl,
  CacheHandler,
  CacheHandlerClass,
  CacheHandlerContext,
  CacheHandlerGetContext,
  CacheHandlerSetContext,
  CacheHandlerValue,
  ResponseKind,
  ResponseValue,
  TagDurations,
} from './next-types'
import { readAge } from './age-mark'
import { abilitiesOf, installedNextVersion, type NextAbilities } from './next-version'
import { currentConsumer, outsideRender } from './consumer'
import { generatesAfter, watchPrefetches } from './request-intent'
import { packResponse, unpackResponse, type UnpackedResponse } from './response-codec'
import { createMarkStale, removeMark, responseTags } from './stale-mark'
import { windowSecondsOf } from './tag-durations'

/** What a page or an outer cache keeps of a fetch does not carry the short life of a mask. */
const FETCH_FOLLOWER = { request: 'masked', none: 'as-it-is', unknown: 'as-it-is', cache: 'waits' } as const

/**
 * Builds the class for `cacheHandler`: responses (pages, route handlers, redirects, not-found), `fetch`,
 * `unstable_cache` and images. Next constructs it about three times per request, so an instance holds only
 * what belongs to its request: which reads a generation may be based on.
 */
export function createCacheHandlerClass(
  cache: Cache,
  buildOutput?: BuildOutput,
  abilities: NextAbilities = abilitiesOf(installedNextVersion()),
): CacheHandlerClass {
  watchPrefetches()
  const markStale = createMarkStale(abilities)
  /** Where values that were handed out came from: a failed refresh writes the same object back. */
  const origins = new WeakMap<ResponseValue, Entry>()

  return class DistributedCacheHandler implements CacheHandler {
    private readonly constructedAt: LocalMillis = localNow()
    /** What the oldest `get` of a key in this request knew: the fence of what is set under it later. */
    private readonly reads = new Map<string, { fence: Clock | undefined; at: LocalMillis }>()

    constructor(private readonly context: CacheHandlerContext) {}

    async get(cacheKey: string, context: CacheHandlerGetContext): Promise<CacheHandlerValue | null> {
      const scope = scopeOf(context.kind)
      const at = localNow()
      const tags = [...(context.tags ?? []), ...(context.softTags ?? [])]
      const isFetch = scope === 'fetch'
      const options: CacheReadOptions = {
        tags,
        revalidate: isFetch ? context.revalidate || undefined : undefined,
        follower: isFetch ? FETCH_FOLLOWER[currentConsumer()] : 'masked',
        dedupedByNext: !isFetch,
        generates: scope === 'response' ? generatesAfter(this.context, context, abilities) : 'always',
        // With `cacheComponents` a prerender holds code and what `use cache` gave it, whose tags and life it inherits.
        showsItsData: scope === 'response' && context.isRoutePPREnabled === true,
        prerendered: scope === 'response' ? () => this.prerendered(cacheKey, context) : undefined,
        // The handler of images lives as long as the server.
        request: scope === 'image' ? undefined : this.context._requestHeaders,
      }
      const read = await outsideRender(() => cache.read(scope, cacheKey, options))
      const { entry, verdict, clock, maskSeconds } = read
      if (!this.reads.has(cacheKey)) this.reads.set(cacheKey, { fence: clock ?? cache.fenceAt(at), at })
      if (entry === undefined) return null
      const unpacked = unpack(entry, context)
      if (unpacked === undefined) {
        cache.unreadable(scope, cacheKey, entry)
        return null
      }
      const response = toNext(unpacked, cache.toLocal(entry.modifiedAt), abilities)
      const answer =
        maskSeconds !== undefined
          ? mask(response, maskSeconds)
          : verdict === 'stale'
            ? this.stale(response, context)
            : response
      if (answer.value !== null) origins.set(answer.value, entry)
      return answer
    }

    private async prerendered(
      cacheKey: string,
      context: CacheHandlerGetContext,
    ): Promise<Prerendered | undefined> {
      const response = await buildOutput?.read(this.context, cacheKey, context)
      if (response === undefined) return undefined
      const { value, cacheControl, modifiedAt } = response
      return {
        ...packResponse(value, cacheControl),
        ...lifeOf(value, { cacheControl }),
        tags: responseTags(value),
        modifiedAt,
      }
    }

    /** The same value, dressed so that Next serves it once more and refreshes it. */
    private stale(response: CacheHandlerValue, context: CacheHandlerGetContext): CacheHandlerValue {
      const { value } = response
      if (value?.kind === 'FETCH') {
        // Next counts the age of a fetch against `revalidate`, ours or the caller's.
        const revalidate = context.revalidate || value.revalidate
        return { ...response, lastModified: localNow() - (revalidate + 1) * 1000 }
      }
      return markStale(response, localNow())
    }

    async set(cacheKey: string, value: ResponseValue | null, context: CacheHandlerSetContext): Promise<void> {
      const scope = context.fetchCache === true ? 'fetch' : scopeOf(value?.kind ?? context.kind ?? 'APP_PAGE')
      // Next sets some entries that nobody read (on-demand revalidation): the request is their beginning.
      const { fence, at } = this.reads.get(cacheKey) ?? {
        fence: cache.fenceAt(this.constructedAt),
        at: this.constructedAt,
      }
      this.reads.delete(cacheKey)
      if (fence === undefined) return cache.skip(scope, cacheKey, 'no-fence')
      const now = cache.toServer(localNow())
      const origin = value === null ? undefined : origins.get(value)
      const clean = removeMark(value)
      const life = { cacheControl: validLife(context.cacheControl) }
      const packed = packResponse(clean, life.cacheControl)
      const { tags, asOf } = readAge(scope === 'fetch' ? (context.tags ?? []) : responseTags(value))
      // Next writes the previous value back when its refresh failed. It must not look new, and is not
      // tried again before the life that Next gave it is over.
      const age =
        origin === undefined
          ? {
              fence: Math.min(asOf, cache.limit(cacheKey, fence, tags, at)),
              bornAt: cache.toServer(at),
              retryAt: 0,
            }
          : {
              fence: origin.fence,
              bornAt: origin.bornAt,
              fromBuild: origin.fromBuild,
              retryAt: now + retrySeconds(context) * 1_000_000,
              retryFence: fence,
            }
      const entry = { ...age, ...lifeOf(clean, life), modifiedAt: now, tags, ...packed }
      await outsideRender(() => cache.write(scope, cacheKey, entry))
    }

    revalidateTag(tags: string | string[], durations?: TagDurations): Promise<void> {
      const list = typeof tags === 'string' ? [tags] : tags
      return outsideRender(() => cache.invalidate(list, windowSecondsOf(durations)))
    }

    resetRequestCache(): void {}
  }
}

function scopeOf(kind: ResponseKind): EntryScope {
  if (kind === 'FETCH') return 'fetch'
  return kind === 'IMAGE' ? 'image' : 'response'
}

function unpack(
  entry: Entry,
  { isFallback, isRoutePPREnabled }: CacheHandlerGetContext,
): UnpackedResponse | undefined {
  let unpacked: UnpackedResponse
  try {
    unpacked = unpackResponse(entry.detail, entry.body)
  } catch {
    return undefined
  }
  const { value } = unpacked
  if (value?.kind === 'APP_PAGE' && (isFallback || (isRoutePPREnabled && value.postponed !== undefined))) {
    // As Next's own file cache: a shell is completed by a render, never by the data of an earlier one.
    delete value.rscData
  }
  return unpacked
}

function toNext(
  { value, cacheControl }: UnpackedResponse,
  modifiedAt: LocalMillis,
  abilities: NextAbilities,
): CacheHandlerValue {
  if (cacheControl === undefined) return { lastModified: modifiedAt, value }
  const lastModified = abilities.honoursCacheControl
    ? modifiedAt
    : judgedAge(modifiedAt, cacheControl, abilities)
  return { lastModified, value, cacheControl }
}

/**
 * Before 16.4 Next judges an entry by the life that this process remembers, which for a path that another
 * replica rendered is one second. So the verdict is ours: what is fresh was modified just now; what is
 * stale keeps its age, which is stale by either life; what is past `expire` must be rendered first.
 */
function judgedAge(
  modifiedAt: LocalMillis,
  { revalidate, expire }: CacheControl,
  abilities: NextAbilities,
): number {
  const now = localNow()
  const ageSeconds = (now - modifiedAt) / 1000
  if (expire !== undefined && ageSeconds > expire && abilities.enforcesExpire) return -1
  return revalidate === false || ageSeconds <= revalidate ? now : modifiedAt
}

function retrySeconds({ cacheControl }: CacheHandlerSetContext): Seconds {
  return cacheControl === undefined || cacheControl.revalidate === false ? 3 : cacheControl.revalidate
}

/**
 * A page inherits the shortest life in it, -1 from the stale entry of a handler that says so as Next's own does
 * (next@16.4), and Next refuses to serve a page with it: 500, "Invalid revalidate configuration".
 */
function validLife(cacheControl: CacheControl | undefined): CacheControl | undefined {
  if (cacheControl === undefined || cacheControl.revalidate === false) return cacheControl
  return { ...cacheControl, revalidate: Math.max(1, cacheControl.revalidate) }
}

function lifeOf(
  value: ResponseValue | null,
  { cacheControl }: CacheHandlerSetContext,
): Pick<Entry, 'revalidate' | 'expire'> {
  if (value?.kind === 'FETCH') return { revalidate: value.revalidate, expire: Infinity }
  const revalidate = cacheControl?.revalidate ?? false
  return {
    revalidate: revalidate === false ? Infinity : revalidate,
    expire: cacheControl?.expire ?? Infinity,
  }
}

/** Fresh, for a moment: another replica is refreshing the entry. */
function mask(response: CacheHandlerValue, maskSeconds: Seconds): CacheHandlerValue {
  const lastModified = localNow()
  if (response.cacheControl === undefined) return { ...response, lastModified }
  return { ...response, lastModified, cacheControl: { ...response.cacheControl, revalidate: maskSeconds } }
}
