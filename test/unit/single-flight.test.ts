import { beforeEach, describe, expect, it, vi } from 'vitest'
import { type EarlyClaim, SingleFlight } from '../../runtime/cache/single-flight'
import { createMemoryStore } from '../../runtime/memory/memory-store'

// A claim that goes along with a read: what it wins is used, or goes back.

/** Nobody waits in these tests. */
const bus = { use: () => () => {}, onceLive: () => () => {}, subscribed: true }

let released: unknown[][]
let cut: unknown[][]
let flight: SingleFlight

beforeEach(() => {
  released = []
  cut = []
  const store = {
    ...createMemoryStore(1_000_000),
    async releaseLease(...args: unknown[]) {
      released.push(args)
    },
    async renewLeases(leases: readonly { key: string; token: string }[], ttlMs: number) {
      for (const { key, token } of leases) cut.push([key, token, ttlMs])
      return []
    },
  }
  flight = new SingleFlight({ store, bus, leaseMs: 60_000, waitMs: 60_000, emit: () => {} })
})

const early = (): EarlyClaim => flight.claimEarly('k') as EarlyClaim
const win = (claim: EarlyClaim): void => claim.settle({ holder: claim.token, livesMs: 60_000 })

describe('a claim that goes along with a read', () => {
  it('leads as any other, until the entry is stored', () => {
    const claim = early()
    win(claim)
    expect(flight.tokenOf('k')).toBe(claim.token)
    expect(claim.take()).toEqual({ role: 'leader' })
    claim.end()
    expect(flight.leads('k')).toBe(true)
    // Whoever leads, or once led in vain, claims nothing.
    expect(flight.claimEarly('k')).toBeUndefined()
    flight.stored('k')
    expect([flight.leads('k'), released, cut]).toEqual([false, [], []])
    win(early())
    flight.failed('k')
    expect(released).toHaveLength(1)
    expect(flight.claimEarly('k')).toBeUndefined()
  })

  it('goes back when the reader does not need it', () => {
    const claim = early()
    win(claim)
    claim.end()
    expect(flight.leads('k')).toBe(false)
    expect(released).toEqual([['k', claim.token, 0]])
    expect(claim.take()).toBeUndefined()
  })

  it('goes back when it is granted after the reader has left', () => {
    const claim = early()
    claim.end()
    win(claim)
    expect(flight.leads('k')).toBe(false)
    expect(released).toEqual([['k', claim.token, 0]])
  })

  it('ends quietly when nobody knows whether it was granted', () => {
    const claim = early()
    claim.settle(undefined)
    claim.end()
    expect(claim.take()).toBeUndefined()
    expect(cut).toEqual([['k', claim.token, 1]])
    expect(released).toEqual([])
  })

  it('leads when it is granted at the second asking', () => {
    const claim = early()
    claim.settle({ holder: 'another:1', livesMs: 5 })
    win(claim)
    expect(claim.take()).toEqual({ role: 'leader' })
    expect(flight.tokenOf('k')).toBe(claim.token)
  })

  it('of somebody else costs nothing', () => {
    for (const holder of ['changed', '-', 'another:1', '']) {
      const claim = early()
      claim.settle({ holder, livesMs: 5 })
      claim.end()
    }
    const claim = early()
    claim.settle({ holder: 'another:1', livesMs: 5 })
    expect(claim.take()).toEqual({ role: 'follower', sameProcess: false, livesMs: 5 })
    expect([released, cut, flight.leads('k')]).toEqual([[], [], false])
  })
})

describe('a lease that is renewed', () => {
  it('and is over by then takes no other one of the key with it', async () => {
    vi.useFakeTimers()
    try {
      let answer = (_lost: string[]): void => {}
      const store = {
        ...createMemoryStore(1_000_000),
        renewLeases: () => new Promise<string[]>((resolve) => (answer = resolve)),
      }
      flight = new SingleFlight({ store, bus, leaseMs: 300, waitMs: 60_000, emit: () => {} })
      const noRecord = Buffer.alloc(0)
      await flight.claim('k', noRecord)
      vi.advanceTimersByTime(100)
      // Its write arrives before the renewal, whose answer is late.
      flight.stored('k')
      await flight.claim('k', noRecord)
      answer(['k'])
      await vi.advanceTimersByTimeAsync(0)
      expect(flight.leads('k')).toBe(true)
      vi.advanceTimersByTime(100)
      answer(['k'])
      await vi.advanceTimersByTimeAsync(0)
      expect(flight.leads('k')).toBe(false)
    } finally {
      vi.useRealTimers()
    }
  })
})
