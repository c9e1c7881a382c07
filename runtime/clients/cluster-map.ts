import { messageOf } from '../../src/errors'
import type { RedisCommand, RedisReply } from './client'
import { withoutPrefix } from './client-errors'
import { parseClusterSlots, type SlotOwners } from './cluster-slots'
import { retryDelayMs } from './connection'

/** The map is asked for at most this often, in milliseconds: a moving slot would ask with every command. */
const MIN_INTERVAL_MS = 200
/** While something is wrong with the cluster, delays between questions grow to about a second. */
const MAX_FAILURES = 5

const CLUSTER_SLOTS: readonly RedisCommand[] = [{ key: undefined, args: ['CLUSTER', 'SLOTS'] }]

/** A node that can be asked for the map. */
export interface MapSource {
  readonly host: string
  ask(commands: readonly RedisCommand[]): Promise<RedisReply[]>
}

export interface ClusterMapOptions {
  /** Groups of nodes: within a group the first answer counts, the next group is asked when none answered. */
  readonly sources: () => readonly (readonly MapSource[])[]
  /** Whether every primary of the map can be used; while not, the map is asked for again. */
  readonly isSettled: (owners: ReadonlySet<string>) => boolean
  readonly onMap: (owners: ReadonlySet<string>) => void
  /** Nobody answered. */
  readonly onFailure: (reason: string) => void
}

/** Which node serves which slot, refreshed when something shows that it changed. */
export interface ClusterMap {
  readonly known: boolean
  ownerOf(slot: number): string | undefined
  /** A node said so; the whole map follows. */
  moved(slot: number, address: string): void
  refresh(): void
  close(): void
}

export function createClusterMap(options: ClusterMapOptions): ClusterMap {
  let owners: SlotOwners | undefined
  let refreshedAt = -Infinity
  let failures = 0
  let timer: NodeJS.Timeout | undefined
  let refreshing = false
  /** Asked for while an answer was under way, which may be older. */
  let again = false
  let closed = false

  function schedule(delayMs: number): void {
    if (closed || timer !== undefined) return
    timer = setTimeout(() => {
      timer = undefined
      void refreshNow()
    }, delayMs).unref()
  }

  function refresh(): void {
    if (refreshing) again = true
    else schedule(Math.max(0, refreshedAt + MIN_INTERVAL_MS - performance.now()))
  }

  async function refreshNow(): Promise<void> {
    if (closed) return
    refreshing = true
    const answer = await ask()
    refreshing = false
    refreshedAt = performance.now()
    if (closed) return
    if (typeof answer === 'string') options.onFailure(answer)
    else {
      owners = answer
      options.onMap(new Set(answer.filter((owner) => owner !== undefined)))
    }
    const isWhole = typeof answer !== 'string' && !answer.includes(undefined)
    if (isWhole && options.isSettled(new Set(answer as string[]))) {
      failures = 0
      if (again) refresh()
    } else {
      schedule(retryDelayMs(failures))
      failures = Math.min(failures + 1, MAX_FAILURES)
    }
    again = false
  }

  async function ask(): Promise<SlotOwners | string> {
    let reason = 'no node is known'
    for (const group of options.sources()) {
      if (group.length === 0) continue
      try {
        return await Promise.any(group.map(askOne))
      } catch (error) {
        const errors = error instanceof AggregateError ? (error.errors as unknown[]) : [error]
        reason = errors.map((each) => withoutPrefix(messageOf(each))).join('; ')
      }
    }
    return reason
  }

  async function askOne({ host, ask: send }: MapSource): Promise<SlotOwners> {
    const [reply] = await send(CLUSTER_SLOTS)
    if (reply instanceof Error) throw reply
    const parsed = parseClusterSlots(reply, host)
    // A node that was reset, or never joined, knows no slots; neither does it know where they are.
    if (parsed === undefined || parsed.every((owner) => owner === undefined))
      throw new Error(`${host} knows no slots of a Redis Cluster`)
    return parsed
  }

  return {
    get known() {
      return owners !== undefined
    },
    ownerOf: (slot) => owners?.[slot],
    moved(slot, address) {
      if (owners !== undefined) owners[slot] = address
      refresh()
    },
    refresh,
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}
