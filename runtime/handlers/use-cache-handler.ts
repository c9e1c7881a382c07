import type { Entry } from '../../src/entry'
import type { Cache } from '../cache/cache'
import type { TagDurations, UseCacheEntry, UseCacheHandler } from './next-types'
import { windowSecondsOf } from './tag-durations'
import { drain, packUseCache, streamOf, unpackUseCache } from './use-cache-codec'

const SCOPE = 'use-cache'

/** Builds the object for `cacheHandlers`: `use cache` and `use cache: remote`. */
export function createUseCacheHandler(cache: Cache): UseCacheHandler {
  /** Sets of this process that have not reached the store: a `get` of the same key waits for them. */
  const pendingSets = new Map<string, Promise<void>>()

  function unpack(cacheKey: string, entry: Entry, isStale: boolean): UseCacheEntry | undefined {
    try {
      const life = unpackUseCache(entry.detail)
      return {
        ...life,
        // Next serves the entry once more and refreshes it in the background.
        revalidate: isStale ? -1 : life.revalidate,
        tags: [...entry.tags],
        timestamp: cache.toLocal(entry.modifiedAt),
        value: streamOf(entry.body),
      }
    } catch {
      cache.skip(SCOPE, cacheKey, 'bad-value')
      return undefined
    }
  }

  async function store(cacheKey: string, pendingEntry: Promise<UseCacheEntry>): Promise<void> {
    let entry: UseCacheEntry
    let chunks: Uint8Array[] | undefined
    try {
      entry = await pendingEntry
      chunks = await drain(entry.value, cache.maxEntryBytes)
    } catch {
      // The generation failed, perhaps midway: partial data is never kept.
      return cache.skip(SCOPE, cacheKey, 'stream-error')
    }
    if (chunks === undefined) return cache.skip(SCOPE, cacheKey, 'too-large')
    // As Next's built-in handler: such an entry is regenerated on every read.
    if (entry.expire === 0) return cache.skip(SCOPE, cacheKey, 'expire-0')
    const fence = cache.fenceAt(entry.timestamp)
    if (fence === undefined) return cache.skip(SCOPE, cacheKey, 'no-fence')
    const bornAt = cache.toServer(entry.timestamp)
    const packed = packUseCache(entry, chunks)
    await cache.write(
      SCOPE,
      cacheKey,
      { fence, bornAt, modifiedAt: bornAt, retryAt: 0, tags: [...new Set(entry.tags)], ...packed },
      entry.expire,
    )
  }

  return {
    async get(cacheKey, softTags) {
      await pendingSets.get(cacheKey)
      const { entry, verdict } = await cache.read(SCOPE, cacheKey, { expiringTags: softTags })
      return entry && unpack(cacheKey, entry, verdict === 'stale')
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
      cache.invalidate(tags, windowSecondsOf(durations)),
  }
}
