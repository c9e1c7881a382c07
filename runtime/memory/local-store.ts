import { localNow } from '../../src/server-time'
import { joined } from '../../src/pieces'
import type { Store } from '../../src/store'
import { ByteLru } from './byte-lru'

/**
 * Entries in this process, tag state in the fleet: for `use cache` with `useCache: 'remote-only'`. What one
 * replica renders stays its own, but no invalidation is missed.
 */
export function createLocalStore(shared: Store, limits: { maxBytes: number; maxEntryBytes: number }): Store {
  const entries = new ByteLru<{ record: Buffer; expiresAt: number }>(limits.maxBytes, limits.maxEntryBytes)
  return {
    ...shared,
    async read(key, tags, _stamp, patience) {
      const view = await shared.readTags(tags, patience)
      const entry = entries.get(key)
      return { bytes: entry !== undefined && entry.expiresAt > localNow() ? entry.record : null, view }
    },
    async write(key, record, ttlMs) {
      entries.set(key, { record: joined(record), expiresAt: localNow() + ttlMs }, record.length)
      return 'stored'
    },
  }
}
