import { expect, it, onTestFinished, vi } from 'vitest'
import { EntryReader } from '../../runtime/cache/entry-reader'
import { Journal } from '../../runtime/cache/journal'
import { LocalEntries } from '../../runtime/cache/local-entries'
import { RequestBudgets } from '../../runtime/cache/request-budget'
import { LocalTagView } from '../../runtime/cache/tag-view'
import { createMemoryStore } from '../../runtime/memory/memory-store'
import { encodeEntry } from '../../src/entry'
import { localNow } from '../../src/server-time'
import type { TagChange } from '../../src/tag-state'

// The journal and a read at the same time; a store whose replies the test holds back.

const budget = new RequestBudgets(60_000).of(undefined)
const hard: TagChange[] = [{ tag: 't', windowMicros: undefined }]
const soft: TagChange[] = [{ tag: 't', windowMicros: 60_000_000 }]

async function setUp() {
  const store = createMemoryStore(1_000_000)
  const now = Math.round(localNow() * 1000)
  const life = { modifiedAt: now, bornAt: now, retryAt: 0, revalidate: 60, expire: 60 }
  const entry = { ...life, fence: store.latestClock, tags: ['t'], detail: {}, chunks: [Buffer.from('x')] }
  const format = { compression: { codec: 'none', thresholdBytes: 0 }, maxEntryBytes: 1_000_000 } as const
  const write = async (tags: string[], fence = store.latestClock): Promise<void> => {
    const record = await encodeEntry('k', { ...entry, tags, fence, bornAt: ++bornAt }, format)
    await store.write('k', record as Buffer, 60_000)
  }
  let bornAt = now
  await write(['t'])
  const held: { reads: number; until: Promise<unknown> } = { reads: 0, until: Promise.resolve() }
  const journal = new Journal()
  const reader = new EntryReader({
    store: {
      ...store,
      async read(...args) {
        held.reads++
        const reply = await store.read(...args)
        await held.until
        return reply
      },
      readTags: (tags) => store.readTags(tags),
    },
    local: new LocalEntries({ maxBytes: 0, maxEntryBytes: 0 }),
    view: new LocalTagView(),
    bus: undefined,
    journal,
    format,
    maxTtlSeconds: 3600,
    emit: () => {},
  })
  // Its tags are known from here on: one round trip.
  await reader.read('k', {}, budget)
  held.reads = 0
  return { store, journal, reader, held, write }
}

it('what is in the journal judges a read, its soft tags included', async () => {
  const { journal, reader } = await setUp()
  expect(await reader.read('k', {}, budget)).toMatchObject({ verdict: 'fresh' })
  journal.add(soft)
  expect(await reader.read('k', {}, budget)).toMatchObject({ verdict: 'stale', entry: { tags: ['t'] } })
  journal.add(hard)
  expect(await reader.read('k', {}, budget)).toMatchObject({ verdict: 'expired', entry: undefined })
  journal.settle(journal.changes)
  journal.add([{ tag: 'path', windowMicros: undefined }])
  expect(await reader.read('k', {}, budget)).toMatchObject({ verdict: 'fresh' })
  expect(await reader.read('k', { tags: ['path'] }, budget)).toMatchObject({ verdict: 'expired' })
  expect(await reader.read('k', { expiringTags: ['path'] }, budget)).toMatchObject({ verdict: 'expired' })
})

it('what leaves the journal during a read is in the next reply: it reads once more', async () => {
  const { store, journal, reader, held } = await setUp()
  journal.add(hard)
  let release = (): void => {}
  held.until = new Promise<void>((resolve) => (release = resolve))
  // Redis answers from before the invalidation reaches it.
  const read = reader.read('k', {}, budget)
  await new Promise((resolve) => setImmediate(resolve))
  await store.invalidate(hard)
  journal.settle(journal.changes)
  release()
  expect(await read).toMatchObject({ verdict: 'expired', entry: undefined })
  expect(held.reads).toBe(2)
})

it('what is announced during a read counts, too', async () => {
  const { journal, reader, held } = await setUp()
  let release = (): void => {}
  held.until = new Promise<void>((resolve) => (release = resolve))
  const read = reader.read('k', {}, budget)
  await new Promise((resolve) => setImmediate(resolve))
  journal.add(hard)
  release()
  expect(await read).toMatchObject({ verdict: 'expired', entry: undefined })
})

it('tags that a read did not know of are asked for before it judges', async () => {
  const { store, reader, held, write } = await setUp()
  await store.invalidate([{ tag: 'new', windowMicros: undefined }])
  // Older than the invalidation, and tagged as nobody knew.
  await write(['t', 'new'], 0)
  expect(await reader.read('k', {}, budget)).toMatchObject({ verdict: 'expired', entry: undefined })
  expect(held.reads).toBe(1)
})

it('tags that whoever wrote them changes during a read are not taken for tags that were asked for', async () => {
  const { store, reader, held, write } = await setUp()
  await store.invalidate([{ tag: 'new', windowMicros: undefined }])
  await write(['other', 'new'], 0)
  const tags = ['other']
  reader.written('k', tags)
  let release = (): void => {}
  held.until = new Promise<void>((resolve) => (release = resolve))
  const read = reader.read('k', {}, budget)
  await new Promise((resolve) => setImmediate(resolve))
  tags.push('new')
  release()
  expect(await read).toMatchObject({ verdict: 'expired', entry: undefined })
})

it('a read that fails is charged until it fails, and no longer', async () => {
  const { reader, held } = await setUp()
  vi.useFakeTimers()
  const budgets = new RequestBudgets(60_000)
  onTestFinished(() => {
    budgets.close()
    vi.useRealTimers()
  })
  const mine = budgets.of({})
  held.until = Promise.reject(new Error('away'))
  await expect(reader.read('k', {}, mine)).rejects.toThrow('away')
  const { leftMs } = mine
  await vi.advanceTimersByTimeAsync(1_000)
  expect(mine.leftMs).toBe(leftMs)
})
