import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { heartbeatPayload, invalidatePayload } from '../../src/bus-message'
import type { Entry } from '../../src/entry'
import { localNow } from '../../src/server-time'
import type { Store } from '../../src/store'
import { Bus } from '../../runtime/bus/bus'
import { EntryReader } from '../../runtime/cache/entry-reader'
import { Journal } from '../../runtime/cache/journal'
import { LocalEntries } from '../../runtime/cache/local-entries'
import { LocalTagView } from '../../runtime/cache/tag-view'

const CLOCK = 1_000
let deliver: (text: string) => void
let setLive: (live: boolean) => void
let reader: EntryReader
let latestClock: number
let bus: Bus

const store = {
  get latestClock() {
    return latestClock
  },
  firstClock: 1,
  toServer: (local: number) => Math.round(local * 1000),
} as Store

const entry = {
  fence: CLOCK,
  bornAt: 0,
  retryAt: 0,
  tags: ['t'],
  expire: Infinity,
  detail: {},
} as Partial<Entry>
const found = () => reader.readWithinGrace('k', {})?.entry

function heartbeat(clock = CLOCK): void {
  deliver(`heartbeat ${clock} ${heartbeatPayload({ publisher: 'me', sequence: 0 }, localNow())}`)
}

beforeEach(() => {
  vi.useFakeTimers()
  latestClock = CLOCK
  const local = new LocalEntries({ maxBytes: 1_000_000, maxEntryBytes: 100_000 })
  const view = new LocalTagView()
  bus = new Bus({
    client: {
      subscribe(_channel, onMessage, onState) {
        deliver = (text) => onMessage(Buffer.from(text))
        setLive = onState
        return { close: () => Promise.resolve() }
      },
    },
    channel: 'bus',
    publisher: 'me',
    isPlausible: () => true,
    listener: {
      onLive() {},
      onInvalidation: (message) => view.apply(message),
      onGap() {
        view.forget()
        local.endEpoch()
      },
      onKey() {},
    },
  })
  bus.use()
  setLive(true)
  heartbeat()
  reader = new EntryReader({
    store,
    local,
    view,
    bus,
    journal: new Journal(),
    format: { compression: { codec: 'none', thresholdBytes: 0 }, maxEntryBytes: 100_000 },
    maxTtlSeconds: 3600,
    emit: () => {},
  })
  const modifiedAt = store.toServer(localNow())
  const held = {
    ...entry,
    modifiedAt,
    revalidate: 10,
    body: Buffer.from('x'),
    bodyBytes: 1,
    stamp: Buffer.alloc(8),
  } as Entry
  local.keep('k', held, local.begin('k'))
  view.learn({ clock: CLOCK, floor: 0, incarnation: 'i', records: new Map() }, ['t'], bus.clock)
})
afterEach(() => vi.useRealTimers())

it('a subscription that died serves what it had proven, with the clock of that proof, for two seconds', () => {
  setLive(false)
  expect(bus.provenAt(localNow())).toBe(false)
  expect(reader.readWithinGrace('k', {})).toMatchObject({ clock: CLOCK, verdict: 'fresh', tier: 'local' })
  vi.advanceTimersByTime(1_800)
  // Every failed attempt to subscribe again says so once more.
  setLive(false)
  expect(found()).toBeDefined()
  vi.advanceTimersByTime(200)
  expect(found()).toBeUndefined()
})

it('what the bus said before it died holds', () => {
  const now = store.toServer(localNow())
  const payload = invalidatePayload({ publisher: 'other', sequence: 1 }, [
    { tag: 't', windowMicros: undefined },
  ])
  deliver(`invalidate ${CLOCK} ${CLOCK + 1} ${now} ${payload}`)
  setLive(false)
  expect(bus.clock).toBe(CLOCK + 1)
  expect(found()).toBeUndefined()
})

it('a reply that is ahead of the bus ends it, and so does what may have been missed', () => {
  setLive(false)
  latestClock = CLOCK + 1
  expect(found()).toBeUndefined()
  latestClock = CLOCK
  expect(found()).toBeDefined()
  setLive(true)
  expect(found()).toBeUndefined()
  // A new subscription is not proven by what was heard on the old one.
  expect(bus.provenAt(localNow())).toBe(false)
  heartbeat()
  setLive(false)
  expect(found()).toBeUndefined()
})

it('an old copy is served as what it is', () => {
  for (let second = 0; second < 11; second++) {
    vi.advanceTimersByTime(1_000)
    heartbeat()
  }
  setLive(false)
  expect(reader.readWithinGrace('k', {})).toMatchObject({ verdict: 'fresh', age: 'stale' })
})
