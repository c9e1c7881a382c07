import { ClockHistory } from '../../src/clock-history'
import { localNow } from '../../src/server-time'
import {
  applyInvalidation,
  NO_RECORD,
  type TagChange,
  type TagRecord,
  type TagView,
} from '../../src/tag-state'
import type { Bytes } from '../../src/units'
import { joined } from '../../src/pieces'
import type { Store } from '../../src/store'
import { ByteLru } from './byte-lru'

/**
 * The same data model in this process alone: what `next build` runs on, which must open no socket. Its
 * "server time" is the process's own clock.
 */
export function createMemoryStore(maxBytes: Bytes): Store {
  const entries = new ByteLru<{ record: Buffer; expiresAt: number }>(maxBytes)
  const records = new Map<string, TagRecord>()
  const history = new ClockHistory()
  const nowMicros = () => Math.round(localNow() * 1000)
  let clock = nowMicros()
  let floor = 0
  history.observe(localNow(), clock)

  function view(tags: readonly string[]): TagView {
    const found = new Map<string, TagRecord>()
    for (const tag of tags) {
      const record = records.get(tag)
      if (record !== undefined) found.set(tag, record)
    }
    return { clock, floor, incarnation: 'memory', records: found }
  }

  return {
    async read(key, tags) {
      const entry = entries.get(key)
      const alive = entry !== undefined && entry.expiresAt > localNow()
      return { bytes: alive ? entry.record : null, view: view(tags) }
    },
    readTags: async (tags) => view(tags),
    async write(key, record, ttlMs) {
      entries.set(key, { record: joined(record), expiresAt: localNow() + ttlMs }, record.length)
      return 'stored'
    },
    async add(key, record, ttlMs) {
      const there = entries.get(key)
      if (there !== undefined && there.expiresAt > localNow()) return 'superseded'
      entries.set(key, { record, expiresAt: localNow() + ttlMs }, record.length)
      return 'stored'
    },
    async invalidate(changes: readonly TagChange[]) {
      const now = nowMicros()
      clock = Math.max(clock + 1, now)
      for (const { tag, windowMicros } of changes) {
        records.set(tag, applyInvalidation(records.get(tag) ?? NO_RECORD, clock, windowMicros, now))
      }
      history.observe(localNow(), clock)
    },
    async invalidateEverything() {
      floor = clock = Math.max(clock + 1, nowMicros())
      history.observe(localNow(), clock)
    },
    confirm: async () => 0,
    remember: () => {},
    catchUp: async (_seen, tags) => view(tags),
    // One process: whoever asks leads.
    claimLease: async (_key, token, ttlMs) => ({ holder: token, livesMs: ttlMs }),
    renewLeases: async () => [],
    releaseLease: async () => {},
    fenceAt: (time) => history.at(time),
    get firstClock() {
      return history.first
    },
    get latestClock() {
      return history.latest
    },
    observe: () => {},
    heartbeat: () => {},
    toServer: (local) => Math.round(local * 1000),
    toLocal: (server) => server / 1000,
    onReady: () => {},
    close: async () => {},
  }
}
