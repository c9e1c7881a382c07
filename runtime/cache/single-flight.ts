import { randomUUID } from 'node:crypto'
import { localNow } from '../../src/server-time'
import type { Bid, LeaseState, Patience, Store } from '../../src/store'
import type { LocalMillis, Milliseconds } from '../../src/units'
import type { Bus } from '../bus/bus'
import { dropOldest } from '../drop-oldest'
import type { Emit } from '../telemetry'
import { orAfter } from '../within'

/** For how long nobody waits for a key whose lease ended without an entry. */
const MARK_MS: Milliseconds = 60_000
/** The mark in place of a token. */
const NOT_WORTH_WAITING = '-'
/** Keys of which this process remembers that leading them came to nothing. */
const MAX_FRUITLESS_KEYS = 10_000
const MAX_FRUITLESS_MS: Milliseconds = 3_600_000

export interface SingleFlightOptions {
  readonly store: Store
  /** Wakes whoever waits. */
  readonly bus: Pick<Bus, 'use' | 'onceLive' | 'subscribed'>
  readonly leaseMs: Milliseconds
  readonly waitMs: Milliseconds
  readonly emit: Emit
}

/**
 * Leader: generate. Free: generate, nobody coordinates this key. Changed: read again. Follower: somebody else
 * generates.
 */
export type Claim =
  | { readonly role: 'leader' }
  | { readonly role: 'free' }
  | { readonly role: 'changed' }
  | { readonly role: 'follower'; readonly sameProcess: boolean; readonly livesMs: Milliseconds }

/** A claim that goes along with the read of a key under which nothing is expected: a miss is one round trip. */
export interface EarlyClaim extends Bid {
  /** What it won; undefined: it was not sent, or not answered. Whoever takes it uses it. */
  take(): Claim | undefined
  /** The read is over: what it won and nobody took, or wins later, goes back. */
  end(): void
}

interface Lease {
  readonly token: string
  readonly since: LocalMillis
}

/**
 * One generation per change, fleet-wide: a lease per key, renewed while its holder's process lives, for at most
 * `waitMs`. It is advice. Whoever cannot get an answer generates; correctness rests on fences alone.
 */
export class SingleFlight {
  private readonly process = randomUUID()
  private claims = 0
  private readonly leases = new Map<string, Lease>()
  private readonly waiters = new Map<string, Set<() => void>>()
  private readonly fruitless = new Map<string, { until: LocalMillis; times: number }>()
  private renewal: NodeJS.Timeout | undefined

  constructor(private readonly options: SingleFlightOptions) {}

  leads(key: string): boolean {
    return this.leases.has(key)
  }

  /** `stamp`: head of the record to be replaced; empty: none was found. */
  async claim(key: string, stamp: Buffer, patience?: Patience): Promise<Claim> {
    if (this.isFruitless(key)) return { role: 'free' }
    const token = this.newToken()
    const { store, leaseMs } = this.options
    return this.claimed(key, token, await store.claimLease(key, token, leaseMs, stamp, patience))
  }

  /** Undefined: nothing would be claimed, or `claim` knows better. */
  claimEarly(key: string): EarlyClaim | undefined {
    if (this.leads(key) || this.isFruitless(key)) return undefined
    const token = this.newToken()
    const { store, leaseMs } = this.options
    let won: Claim | undefined
    let isOver = false
    const giveBack = (): void => this.giveBack(key, token)
    return {
      token,
      ttlMs: leaseMs,
      settle: (state) => {
        if (won?.role === 'leader') return
        // Nobody knows whether it was granted: it ends at once, if so, and quietly.
        if (state === undefined) store.renewLeases([{ key, token }], 1).catch(() => {})
        else if (!isOver) won = this.claimed(key, token, state)
        else if (state.holder === token) giveBack()
      },
      take() {
        const claim = won
        won = undefined
        isOver = true
        return claim
      },
      end() {
        isOver = true
        if (won?.role === 'leader') giveBack()
        won = undefined
      },
    }
  }

  private newToken(): string {
    return `${this.process}:${++this.claims}`
  }

  private isFruitless(key: string): boolean {
    return (this.fruitless.get(key)?.until ?? 0) > localNow()
  }

  private claimed(key: string, token: string, { holder, livesMs }: LeaseState): Claim {
    if (holder === token) {
      this.leases.set(key, { token, since: localNow() })
      this.renewal ??= setInterval(() => void this.renew(), this.options.leaseMs / 3).unref()
      this.options.emit('lease', { key, role: 'leader' })
      return { role: 'leader' }
    }
    if (holder === 'changed') return { role: 'changed' }
    if (holder === NOT_WORTH_WAITING || holder === '') return { role: 'free' }
    return { role: 'follower', sameProcess: holder.startsWith(`${this.process}:`), livesMs }
  }

  /** The token with which a write ends the lease. */
  tokenOf(key: string): string | undefined {
    return this.leases.get(key)?.token
  }

  /** The entry is stored, which ended the lease. */
  stored(key: string): void {
    this.leases.delete(key)
    this.fruitless.delete(key)
    this.wake(key)
  }

  /** The generation came to nothing: the others are told, and held once, not on every request. */
  failed(key: string): void {
    const lease = this.leases.get(key)
    if (lease === undefined) return
    this.leases.delete(key)
    const times = Math.min(6, this.fruitless.get(key)?.times ?? 0)
    this.fruitless.delete(key)
    this.fruitless.set(key, {
      until: localNow() + Math.min(MAX_FRUITLESS_MS, MARK_MS * 2 ** times),
      times: times + 1,
    })
    dropOldest(this.fruitless, MAX_FRUITLESS_KEYS)
    this.options.emit('lease', { key, role: 'gave-up' })
    // Whoever waits finds out when the lease expires.
    this.options.store.releaseLease(key, lease.token, MARK_MS).catch(() => {})
    this.wake(key)
  }

  /** Nothing is generated under this token: whoever comes next, or waits, may. */
  giveBack(key: string, token: string): void {
    if (this.leases.get(key)?.token === token) this.leases.delete(key)
    this.options.store.releaseLease(key, token, 0).catch(() => {})
    this.wake(key)
  }

  /** Registers interest in a key before it is claimed, so that nothing between is missed. */
  watch(key: string): Watch {
    const { bus } = this.options
    let wake = (): void => {}
    let woken = new Promise<void>((resolve) => (wake = resolve))
    const listener = (): void => wake()
    const listeners = this.waiters.get(key) ?? new Set()
    listeners.add(listener)
    this.waiters.set(key, listeners)
    const release = bus.use()
    // What was said before the subscription was live is found by reading again.
    const cancel = bus.subscribed ? undefined : bus.onceLive(listener)
    return {
      async woken(timeoutMs) {
        await orAfter(woken, timeoutMs)
        woken = new Promise<void>((resolve) => (wake = resolve))
      },
      end: () => {
        listeners.delete(listener)
        if (listeners.size === 0 && this.waiters.get(key) === listeners) this.waiters.delete(key)
        cancel?.()
        release()
      },
    }
  }

  /** Something happened to the key: whoever waits for it looks again. */
  wake(key: string): void {
    for (const listener of this.waiters.get(key) ?? []) listener()
  }

  get waitMs(): Milliseconds {
    return this.options.waitMs
  }

  private async renew(): Promise<void> {
    const now = localNow()
    const renewable: { key: string; token: string }[] = []
    for (const [key, { token, since }] of this.leases) {
      // A prefetch, an error page, a response that Next does not store: no entry will come.
      if (now - since > this.options.waitMs) this.failed(key)
      else renewable.push({ key, token })
    }
    if (this.leases.size === 0) {
      clearInterval(this.renewal)
      this.renewal = undefined
      return
    }
    try {
      const lost = new Set(await this.options.store.renewLeases(renewable, this.options.leaseMs))
      // What was claimed meanwhile is another lease.
      for (const { key, token } of renewable)
        if (lost.has(key) && this.tokenOf(key) === token) this.leases.delete(key)
    } catch {
      // The store is away: leases expire by themselves.
    }
  }

  /** Gives up every lease: others need not wait for this process. Sent before this returns; never rejects. */
  async release(): Promise<void> {
    clearInterval(this.renewal)
    this.renewal = undefined
    const released = [...this.leases].map(([key, { token }]) =>
      this.options.store.releaseLease(key, token, 0),
    )
    this.leases.clear()
    await Promise.allSettled(released)
  }
}

export interface Watch {
  /** Resolves when something happened to the key, or after the time. */
  woken(timeoutMs: Milliseconds): Promise<void>
  end(): void
}
