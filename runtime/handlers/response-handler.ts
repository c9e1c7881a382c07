import type { Entry } from '../../src/entry'
import type { BuildOutput } from '../build-output/build-output'
import type { EntryScope } from '../../src/key-names'
import { localNow } from '../../src/server-time'
import type { LocalMillis, Seconds } from '../../src/units'
import type { Prerendered } from '../cache/build-tier'
import type { Cache } from '../cache/cache'
import { type AfterAnswer, type CacheRead, type CacheReadOptions, isCodeAlone } from '../cache/cache-read'
import type { ReadOptions } from '../cache/judge'
import type { HeldEntry } from '../cache/local-entries'
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
import { ImageRequests } from './image-requests'
import { generatesAfter, watchAnswers, watchPrefetches } from './request-intent'
import { JoinedReads } from './joined-reads'
import { RequestReads } from './request-reads'
import { packResponse, readContent, type ResponseContent } from './response-codec'
import { detached, freshValue } from './response-content'
import { createMarkStale, removeMark, responseTags } from './stale-mark'
import { windowSecondsOf } from './tag-durations'
import { createTellLife } from './told-lives'

/**
 * How fetches are read, by who consumes them. What a page or an outer cache keeps of one does not carry the short life
 * of a mask. One whose answer Next does not store (404, 204), or an `unstable_cache` whose function throws, is over with
 * the response, and would come to nothing elsewhere, too (`patch-fetch`); a page may be rendered behind the response.
 */
const FETCH_READS = {
  request: { follower: 'masked', afterAnswer: 'failed' },
  none: { follower: 'as-it-is', afterAnswer: 'mayFollow' },
  unknown: { follower: 'as-it-is', afterAnswer: 'mayFollow' },
  cache: { follower: 'waits', afterAnswer: 'mayFollow' },
} as const

const NOTHING_MORE: ReadOptions = {}
const FOR_EVER: CacheControl = { revalidate: false, expire: undefined }
const ONE_YEAR_SECONDS: Seconds = 365 * 24 * 60 * 60

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
  watchAnswers((headers, hasFailed) => cache.answered(headers, hasFailed))
  const images = new ImageRequests((ask) => cache.answered(ask, false))
  const markStale = createMarkStale(abilities)
  const tellLife = createTellLife(abilities)
  const joined = new JoinedReads()

  return class DistributedCacheHandler implements CacheHandler {
    private readonly constructedAt: LocalMillis = localNow()
    private readonly reads = new RequestReads()

    constructor(private readonly context: CacheHandlerContext) {}

    async get(cacheKey: string, context: CacheHandlerGetContext): Promise<CacheHandlerValue | null> {
      const scope = scopeOf(context.kind)
      // The fallback is the answer.
      if (context.isFallback === true && this.context._requestHeaders !== undefined)
        cache.answered(this.context._requestHeaders, false)
      const turn = scope === 'response' ? joined.wait(cacheKey) : undefined
      if (turn !== undefined) await turn
      const at = localNow()
      const wanted = scope === 'fetch' ? wantedByFetch(context) : NOTHING_MORE
      const recalled = outsideRender(() => cache.recall(scope, cacheKey, wanted, at))
      if (recalled !== undefined && scope === 'response') joined.note(cacheKey)
      const read: CacheRead = recalled ?? (await this.ask(scope, cacheKey, context, wanted))
      const { entry, verdict, clock } = read
      this.reads.note(cacheKey, clock ?? cache.fenceAt(at), at)
      if (entry === undefined) return null
      const response = this.toNext(scope, cacheKey, context, entry)
      if (response === undefined) return null
      const { maskSeconds } = read
      const answer =
        maskSeconds !== undefined
          ? mask(response, maskSeconds)
          : verdict === 'stale'
            ? this.stale(response, context)
            : response
      if (answer.cacheControl !== undefined && scope === 'response') tellLife(cacheKey, answer.cacheControl)
      if (answer.value !== null) this.reads.handOut(answer.value, entry)
      return answer
    }

    private ask(
      scope: EntryScope,
      cacheKey: string,
      context: CacheHandlerGetContext,
      wanted: ReadOptions,
    ): Promise<CacheRead> {
      const isFetch = scope === 'fetch'
      const fetchRead = isFetch ? FETCH_READS[currentConsumer()] : undefined
      const options: CacheReadOptions = {
        ...wanted,
        follower: fetchRead?.follower ?? 'masked',
        dedupedByNext: !isFetch,
        generates: scope === 'response' ? generatesAfter(this.context, context, abilities) : 'always',
        afterAnswer: fetchRead?.afterAnswer ?? this.afterAnswer(context),
        // With `cacheComponents` a prerender holds code and what `use cache` gave it, whose tags and life it inherits.
        showsItsData: scope === 'response' && context.isRoutePPREnabled === true,
        prerendered: this.mayBePrerendered(scope, cacheKey)
          ? () => this.prerendered(cacheKey, context)
          : undefined,
        request: scope === 'image' ? images.ask() : this.context._requestHeaders,
      }
      return outsideRender(() => cache.read(scope, cacheKey, options))
    }

    /**
     * Where the fallback of the route may be the answer, no entry for the path follows, but may follow another
     * request: the Pages Router leaves it to one for the data, the App Router renders the rest of the shell for this
     * request alone. An image that is not stored by then could not be made.
     */
    private afterAnswer({ kind, isRoutePPREnabled }: CacheHandlerGetContext): AfterAnswer {
      if (kind === 'PAGES') return 'giveBack'
      if (kind === 'IMAGE') return 'failed'
      const isLeft = isRoutePPREnabled === true && buildOutput?.completesShells(this.context) === false
      return isLeft ? 'giveBack' : 'mayFollow'
    }

    private toNext(
      scope: EntryScope,
      cacheKey: string,
      { isFallback, isRoutePPREnabled }: CacheHandlerGetContext,
      entry: HeldEntry,
    ): CacheHandlerValue | undefined {
      let content = entry.content?.value as ResponseContent | undefined
      let value: ResponseValue | null
      try {
        if (content === undefined) {
          const read = (content = readContent(entry.detail, entry.body, entry))
          cache.keepContent(scope, cacheKey, entry, read.bytes, () => detached(read))
        }
        value = freshValue(content)
      } catch {
        cache.unreadable(scope, cacheKey, entry)
        return undefined
      }
      if (
        value?.kind === 'APP_PAGE' &&
        (isFallback || (isRoutePPREnabled && value.postponed !== undefined))
      ) {
        // As Next's own file cache: a shell is completed by a render, never by the data of an earlier one.
        delete value.rscData
      }
      const modifiedAt = cache.toLocal(entry.modifiedAt)
      const { cacheControl } = content
      if (cacheControl === undefined) return { lastModified: modifiedAt, value }
      const lastModified = abilities.honoursCacheControl
        ? modifiedAt
        : judgedAge(modifiedAt, cacheControl, abilities)
      return { lastModified, value, cacheControl: { ...cacheControl } }
    }

    private mayBePrerendered(scope: EntryScope, cacheKey: string): boolean {
      return scope === 'response' && buildOutput?.lacks(this.context, cacheKey) === false
    }

    private async prerendered(
      cacheKey: string,
      context: CacheHandlerGetContext,
    ): Promise<Prerendered | undefined> {
      const response = await buildOutput?.read(this.context, cacheKey, context)
      if (response === undefined) return undefined
      const { value, cacheControl, modifiedAt } = response
      const told = { ...lifeOf(value, { cacheControl }), tags: responseTags(value) }
      return { ...packResponse(value, cacheControl, told), ...told, modifiedAt }
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
      const { fence, at } = this.reads.take(cacheKey) ?? {
        fence: cache.fenceAt(this.constructedAt),
        at: this.constructedAt,
      }
      if (fence === undefined) return cache.skip(scope, cacheKey, 'no-fence')
      const now = cache.toServer(localNow())
      const origin = value === null ? undefined : this.reads.originOf(value)
      const clean = removeMark(value)
      // It would look the same, and Next may be unable to render a shell again: it would try, and log, every three seconds.
      const isFinal = origin?.fromBuild === true && context.isRoutePPREnabled === true && isCodeAlone(origin)
      const life = { cacheControl: isFinal ? FOR_EVER : validLife(context.cacheControl) }
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
              retryAt: now + (isFinal ? ONE_YEAR_SECONDS : retrySeconds(context)) * 1_000_000,
              retryFence: fence,
            }
      const told = { ...lifeOf(clean, life), tags }
      const entry = { ...age, ...told, modifiedAt: now, ...packResponse(clean, life.cacheControl, told) }
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

function wantedByFetch({ tags = [], softTags = [], revalidate }: CacheHandlerGetContext): ReadOptions {
  return { tags: [...tags, ...softTags], revalidate: revalidate || undefined }
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
