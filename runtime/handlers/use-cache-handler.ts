import type { Entry } from '../../src/entry'
import { localNow } from '../../src/server-time'
import type { Clock, LocalMillis } from '../../src/units'
import type { Cache } from '../cache/cache'
import type { CacheRead } from '../cache/cache-read'
import type { TagDurations, UseCacheEntry, UseCacheHandler } from './next-types'
import { markAge, readAge } from './age-mark'
import {
  currentConsumer,
  currentRequest,
  hasPendingInvalidations,
  outsideRender,
  requestStart,
} from './consumer'
import { windowSecondsOf } from './tag-durations'
import { drain, packUseCache, streamOf, unpackUseCache } from './use-cache-codec'

const SCOPE = 'use-cache'

/**
 * What a follower gets of an old entry. A mask is for who reads once: an outer `use cache` with a `cacheLife` of
 * its own would store it for good, under a fence that is newer than the content.
 */
const FOLLOWER = { request: 'masked', none: 'masked', unknown: 'as-it-is', cache: 'waits' } as const

type Life = Pick<UseCacheEntry, 'timestamp' | 'revalidate'>

/** Next lets requests share what they read since it says when they began. */
function marked(tags: readonly string[], asOf: Clock | undefined): string[] {
  return asOf === undefined || requestStart() === undefined ? [...tags] : markAge(tags, asOf)
}

/**
 * A life that is over: Next serves the entry once more and refreshes it in the background. Its own handler says
 * `revalidate: -1` (next@16.4), which a page that holds the entry would inherit and could not be served with.
 */
function overLife(timestamp: LocalMillis): Life {
  return { timestamp: Math.min(timestamp, localNow() - 2_000), revalidate: 1 }
}

/** Builds the object for `cacheHandlers`: `use cache` and `use cache: remote`. */
export function createUseCacheHandler(cache: Cache): UseCacheHandler {
  /** Sets of this process that have not reached the store: a `get` of the same key waits for them. */
  const pendingSets = new Map<string, Promise<void>>()

  function unpack(cacheKey: string, entry: Entry, read: CacheRead): UseCacheEntry | undefined {
    try {
      const { stale } = unpackUseCache(entry.detail)
      const { timestamp, revalidate } = lifeOf(entry, read)
      return {
        value: streamOf(entry.body),
        tags: marked(entry.tags, read.verdict === 'stale' ? entry.fence : read.clock),
        stale,
        timestamp,
        expire: entry.expire,
        revalidate,
      }
    } catch {
      cache.unreadable(SCOPE, cacheKey, entry)
      return undefined
    }
  }

  function lifeOf(entry: Entry, { verdict, maskSeconds }: CacheRead): Life {
    // A mask is handed out as all the life that is left: a page that holds the entry inherits it, and heals.
    if (maskSeconds !== undefined) return { timestamp: localNow(), revalidate: maskSeconds }
    const timestamp = cache.toLocal(entry.modifiedAt)
    return verdict === 'stale' ? overLife(timestamp) : { timestamp, revalidate: entry.revalidate }
  }

  async function store(cacheKey: string, pendingEntry: Promise<UseCacheEntry>): Promise<void> {
    // Everything that its request was given may be in it.
    const requestedAt = requestStart() ?? Infinity
    let entry: UseCacheEntry
    try {
      entry = await pendingEntry
    } catch {
      return cache.skip(SCOPE, cacheKey, 'stream-error')
    }
    const { tags, asOf } = readAge(entry.tags)
    const known = cache.fenceAt(entry.timestamp)
    if (known === undefined) return cache.skip(SCOPE, cacheKey, 'no-fence')
    const fence = cache.limit(cacheKey, Math.min(known, asOf), tags, Math.min(entry.timestamp, requestedAt))
    const arrived = cache.generated(cacheKey, tags, fence)
    try {
      await storeGenerated(cacheKey, { ...entry, tags }, fence)
    } finally {
      arrived()
    }
  }

  async function storeGenerated(cacheKey: string, entry: UseCacheEntry, fence: Clock): Promise<void> {
    let body: Buffer | undefined
    try {
      body = await drain(entry.value, cache.maxEntryBytes)
    } catch {
      // The generation failed midway: partial data is never kept.
      return cache.skip(SCOPE, cacheKey, 'stream-error')
    }
    if (body === undefined) return cache.skip(SCOPE, cacheKey, 'too-large')
    // As Next's built-in handler: such an entry is regenerated on every read.
    if (entry.expire === 0) return cache.skip(SCOPE, cacheKey, 'expire-0')
    const bornAt = cache.toServer(entry.timestamp)
    const packed = packUseCache(entry, [body])
    const stored = {
      fence,
      bornAt,
      modifiedAt: bornAt,
      retryAt: 0,
      revalidate: entry.revalidate,
      expire: entry.expire,
      tags: entry.tags,
      ...packed,
    }
    await outsideRender(() => cache.write(SCOPE, cacheKey, stored))
  }

  return {
    async get(cacheKey, softTags) {
      const wanted = { expiringTags: softTags }
      const pending = pendingSets.get(cacheKey)
      if (pending !== undefined) await pending
      const recalled = outsideRender(() => cache.recall(SCOPE, cacheKey, wanted, localNow()))
      if (recalled?.entry !== undefined) return unpack(cacheKey, recalled.entry, recalled)
      const consumer = currentConsumer()
      const options = {
        ...wanted,
        // A mask says that it is new, and would pass for newer than what the request itself invalidated.
        follower: consumer === 'request' && hasPendingInvalidations() ? 'as-it-is' : FOLLOWER[consumer],
        dedupedByNext: true,
        request: currentRequest(),
      }
      let read = await outsideRender(() => cache.read(SCOPE, cacheKey, options))
      if (read.entry === undefined && pendingSets.has(cacheKey)) {
        // Generated while we read: whoever missed it would generate it once more.
        await pendingSets.get(cacheKey)
        read = await outsideRender(() => cache.read(SCOPE, cacheKey, options))
      }
      // Before 16.4 Next would store what is stale as a part of something new.
      if (consumer === 'cache' && (read.verdict === 'stale' || read.age === 'stale')) return undefined
      return read.entry && unpack(cacheKey, read.entry, read)
    },

    async set(cacheKey, pendingEntry) {
      const mine = store(cacheKey, pendingEntry)
      pendingSets.set(cacheKey, mine)
      await mine
      if (pendingSets.get(cacheKey) === mine) pendingSets.delete(cacheKey)
    },

    // Every read consults the shared tag state itself.
    async refreshTags() {},

    // "I check soft tags in get": the state of entry and tags then comes from one round trip.
    getExpiration: async () => Infinity,

    updateTags: (tags: string[], durations?: TagDurations) =>
      outsideRender(() => cache.invalidate(tags, windowSecondsOf(durations))),
  }
}
