import { describe, expect, it, vi } from 'vitest'
import { Invalidator } from '../../runtime/cache/invalidator'
import { Journal, MAX_JOURNAL_TAGS } from '../../runtime/cache/journal'
import { createLogger } from '../../runtime/logger'
import { createMemoryStore } from '../../runtime/memory/memory-store'
import type { TelemetryEvent } from '../../runtime/telemetry'
import type { TagChange } from '../../src/tag-state'

// What a real Redis cannot be made to do at will; the rest is in test/integration/journal.test.ts.

const hard = (...tags: string[]): TagChange[] => tags.map((tag) => ({ tag, windowMicros: undefined }))
const soft = (seconds: number, ...tags: string[]): TagChange[] =>
  tags.map((tag) => ({ tag, windowMicros: seconds * 1e6 }))
const many = (count: number, prefix = 'tag'): TagChange[] =>
  hard(...Array.from({ length: count }, (_, index) => `${prefix}-${index}`))

/** A store whose answers the test gives, and an invalidator on top of it. */
function setUp({ onFailure = 'journal', replicas = 0, patienceMs = 1_000, limited = false } = {}) {
  const calls: TagChange[][] = []
  const floors: number[] = []
  const answers = { invalidate: async () => {}, everything: async () => {}, confirm: async () => replicas }
  const events: [TelemetryEvent, unknown][] = []
  const lines: string[] = []
  const say = (line: string): void => void lines.push(line.replace('[next-distributed-cache] ', ''))
  let becomeReady = (): void => {}
  const store = {
    ...createMemoryStore(0),
    invalidate(changes: readonly TagChange[]) {
      calls.push([...changes])
      return answers.invalidate()
    },
    invalidateEverything() {
      floors.push(calls.length)
      return answers.everything()
    },
    confirm: () => answers.confirm(),
    onReady: (listener: () => void) => void (becomeReady = listener),
  }
  const journal = new Journal()
  const invalidator = new Invalidator({
    store,
    journal,
    options: { onFailure: onFailure as 'journal' | 'reject', replicas },
    patienceMs,
    emit: (event, message) => void events.push([event, message]),
    log: limited ? createLogger(say) : (topic, detail) => say(`${topic}: ${detail}`),
  })
  const messages = (event: TelemetryEvent) =>
    events.filter(([name]) => name === event).map(([, said]) => said)
  return { invalidator, journal, calls, floors, answers, messages, lines, ready: () => becomeReady() }
}

const refuse = async () => {
  throw new Error('OOM')
}
/** A promise and the function that resolves it. */
function gate() {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { open, opened }
}

describe('sending', () => {
  it('what arrives in one turn is one call, each tag once', async () => {
    const { invalidator, calls } = setUp()
    await Promise.all([invalidator.invalidate(hard('a', 'b')), invalidator.invalidate(hard('b', 'c'))])
    expect(calls).toEqual([hard('a', 'b', 'c')])
  })

  it('a huge call is split, and reported once', async () => {
    const { invalidator, calls, messages } = setUp()
    await invalidator.invalidate(many(100_000))
    expect(calls).toHaveLength(100)
    expect(Math.max(...calls.map((call) => call.length))).toBe(1_000)
    expect(new Set(calls.flat().map(({ tag }) => tag)).size).toBe(100_000)
    expect(messages('invalidated')).toHaveLength(1)
  })

  it('of a huge call that fails in the middle the rest is journalled, without trying each', async () => {
    const { invalidator, journal, calls, answers, messages } = setUp()
    answers.invalidate = async () => {
      if (calls.length === 3) throw new Error('gone')
    }
    await invalidator.invalidate(many(5_000))
    expect(calls).toHaveLength(3)
    expect(journal.size).toBe(3_000)
    expect(messages('invalidated')).toMatchObject([{ tags: { length: 2_000 } }])
    expect(messages('journalled')).toEqual([{ tags: 3_000, pending: 3_000, overflowed: false }])
    await invalidator.close()
  })
})

describe('the journal', () => {
  it('keeps one change per tag: hard covers soft, the shorter window the longer', () => {
    const journal = new Journal()
    journal.add([...soft(10, 'a', 'b'), ...soft(5, 'b'), ...soft(20, 'b')])
    journal.add([...hard('a'), ...soft(1, 'a')])
    expect(journal.changes).toEqual([...hard('a'), ...soft(5, 'b')])
  })

  it('judges by what it holds: hard at once, soft when its first window has passed', () => {
    vi.useFakeTimers()
    const journal = new Journal()
    expect(journal.judge(['a', 'b'])).toBe('fresh')
    journal.add([...soft(10, 'a'), ...hard('b')])
    expect(journal.judge(['x'])).toBe('fresh')
    expect(journal.judge(['x', 'a'])).toBe('stale')
    expect(journal.judge(['a', 'b'])).toBe('expired')
    vi.advanceTimersByTime(9_000)
    journal.add(soft(10, 'a'))
    expect(journal.judge(['a'])).toBe('stale')
    vi.advanceTimersByTime(1_001)
    expect(journal.judge(['a'])).toBe('expired')
    vi.useRealTimers()
  })

  it('is bounded: past its size everything is invalidated, whatever happens meanwhile', async () => {
    const { invalidator, journal, calls, floors, answers, lines } = setUp()
    answers.invalidate = answers.everything = refuse
    await invalidator.invalidate(many(MAX_JOURNAL_TAGS))
    expect(journal.size).toBe(MAX_JOURNAL_TAGS)
    await invalidator.invalidate(hard('one more'))
    expect(journal.size).toBe(0)
    expect(journal.judge(['anything'])).toBe('expired')
    expect(lines.join()).toContain('every entry of the application will be invalidated')
    // It overflows again while everything is being invalidated: once more, then.
    answers.invalidate = async () => {}
    floors.length = 0
    const { open, opened } = gate()
    answers.everything = () => opened
    const flushed = invalidator.flush()
    journal.add(many(MAX_JOURNAL_TAGS + 1, 'meanwhile'))
    open()
    await flushed
    expect(journal.behind).toBe(true)
    calls.length = 0
    await invalidator.flush()
    expect(floors).toHaveLength(2)
    expect(journal.behind).toBe(false)
    await invalidator.close()
  })

  it('a thousand that want it applied share one attempt', async () => {
    const { invalidator, calls, answers } = setUp()
    answers.invalidate = refuse
    await invalidator.invalidate(hard('a'))
    const { open, opened } = gate()
    answers.invalidate = () => opened
    calls.length = 0
    const flushes = Array.from({ length: 1_000 }, () => invalidator.flush())
    open()
    await Promise.all(flushes)
    expect(calls).toEqual([hard('a')])
  })

  it('a change that comes while it is applied stays', async () => {
    const { invalidator, journal, calls, answers } = setUp()
    answers.invalidate = refuse
    await invalidator.invalidate(soft(10, 'a', 'b'))
    const { open, opened } = gate()
    answers.invalidate = () => opened
    const flushed = invalidator.flush()
    journal.add(hard('a'))
    open()
    await flushed
    expect(journal.changes).toEqual(hard('a'))
    await invalidator.flush()
    expect(calls.at(-1)).toEqual(hard('a'))
    expect(journal.behind).toBe(false)
    await invalidator.close()
  })

  it('is applied when the connection is ready, and each second', async () => {
    vi.useFakeTimers()
    const { invalidator, journal, calls, answers, ready } = setUp()
    answers.invalidate = refuse
    await invalidator.invalidate(hard('a'))
    for (let second = 1; second <= 5; second++) {
      await vi.advanceTimersByTimeAsync(1_000)
      expect(calls).toHaveLength(1 + second)
    }
    answers.invalidate = async () => {}
    ready()
    await vi.advanceTimersByTimeAsync(0)
    expect(journal.behind).toBe(false)
    await invalidator.close()
    expect(vi.getTimerCount()).toBe(0)
    vi.useRealTimers()
  })

  it('behind it the order is kept, and a caller does not wait for longer than its patience', async () => {
    const { invalidator, calls, answers } = setUp({ patienceMs: 20 })
    answers.invalidate = refuse
    await invalidator.invalidate(hard('a'))
    const { open, opened } = gate()
    answers.invalidate = () => opened
    await invalidator.invalidate(hard('b'))
    open()
    await invalidator.close()
    expect(calls.at(-1)).toEqual(hard('a', 'b'))
  })
})

describe('the log', () => {
  it('does not say that something still waits when it is applied', async () => {
    vi.useFakeTimers()
    const { invalidator, journal, answers, lines } = setUp({ limited: true })
    answers.invalidate = refuse
    await invalidator.invalidate(hard('a'))
    await vi.advanceTimersByTimeAsync(3_000)
    expect(lines.at(-1)).toMatch('Invalidations still wait for Redis: 1 tags, OOM')
    answers.invalidate = async () => {}
    await vi.advanceTimersByTimeAsync(1_000)
    expect(journal.behind).toBe(false)
    await vi.advanceTimersByTimeAsync(20_000)
    expect(lines.at(-1)).toBe('Invalidations that waited for Redis are applied: 1 tags')
    await invalidator.close()
    vi.useRealTimers()
  })
})

describe('rejecting', () => {
  it('by default never', async () => {
    const { invalidator, answers } = setUp()
    answers.invalidate = refuse
    await invalidator.invalidate([...hard('a'), ...soft(1, 'b')])
    await invalidator.close()
  })

  it('a hard one, if asked for, and journals it all the same; never a soft one', async () => {
    const { invalidator, journal, answers } = setUp({ onFailure: 'reject' })
    answers.invalidate = refuse
    const both = [invalidator.invalidate(hard('a')), invalidator.invalidate(soft(1, 'b'))]
    expect(await Promise.allSettled(both)).toMatchObject([
      {
        status: 'rejected',
        reason: { code: 'INVALIDATION', message: expect.stringContaining('will be retried') },
      },
      { status: 'fulfilled' },
    ])
    expect(journal.changes).toEqual([...hard('a'), ...soft(1, 'b')])
    await expect(invalidator.invalidate(hard('c'))).rejects.toMatchObject({ code: 'INVALIDATION' })
    answers.invalidate = async () => {}
    await invalidator.invalidate(hard('d'))
    expect(journal.behind).toBe(false)
    await invalidator.close()
  })

  it('too few replicas confirm: said in any case, rejected only if asked for', async () => {
    for (const onFailure of ['journal', 'reject']) {
      const { invalidator, journal, answers, messages, lines } = setUp({ onFailure, replicas: 2 })
      await invalidator.invalidate(hard('a'))
      expect(messages('unconfirmed')).toEqual([])
      answers.confirm = async () => 1
      const outcome = await invalidator.invalidate(hard('a')).catch((error: unknown) => error)
      expect(messages('unconfirmed')).toEqual([{ confirmed: 1, wanted: 2 }])
      expect(lines.join()).toContain('1 of 2 replicas')
      expect(outcome).toEqual(
        onFailure === 'journal' ? undefined : expect.objectContaining({ code: 'INVALIDATION' }),
      )
      await invalidator.invalidate(soft(1, 'a'))
      expect(journal.behind).toBe(false)
      answers.confirm = () => Promise.reject(new Error('NOPERM'))
      await invalidator.invalidate(soft(1, 'a'))
      expect(messages('unconfirmed').at(-1)).toEqual({ confirmed: 0, wanted: 2 })
    }
  })
})

describe('the end of the process', () => {
  it('waits for what is on its way, and tries the rest once more', async () => {
    const { invalidator, journal, calls, answers, messages } = setUp()
    answers.invalidate = refuse
    await invalidator.invalidate(hard('kept'))
    const { open, opened } = gate()
    answers.invalidate = () => opened
    void invalidator.invalidate(hard('late'))
    const closed = invalidator.close()
    open()
    await closed
    expect(calls.at(-1)).toEqual(hard('kept', 'late'))
    expect(journal.behind).toBe(false)
    expect(messages('lost')).toEqual([])
  })

  it('says loudly what is lost, after a bounded time', async () => {
    const { invalidator, answers, messages, lines } = setUp({ patienceMs: 20 })
    answers.invalidate = refuse
    await invalidator.invalidate(hard('a', 'b'))
    answers.invalidate = () => new Promise(() => {})
    await invalidator.close()
    expect(messages('lost')).toEqual([{ tags: 2, everything: false }])
    expect(lines.at(-1)).toMatch(/that Redis may not have taken: 2 tags were to be invalidated/)
  })
})
