import { until } from './redis-cluster'
import { contentOf, type Replica, useCacheEntry } from './replicas'

/** What a load knows about one key: versions are numbers that grow. */
interface Known {
  version: number
  /** Content of this version and older is gone: its invalidation was acknowledged. */
  invalidated: number
}

export interface FailoverLoad {
  /** Ends the load; rejects with whatever a read or write threw. */
  stop(): Promise<void>
  /** Waits until every key can be written on one replica and read on all, and checks that nothing old came back. */
  recovered(): Promise<void>
  readonly reads: number
  readonly acknowledged: number
}

/**
 * Two replicas write, read and invalidate while servers are taken away. A read may miss, it must not throw;
 * an invalidation counts from when it is acknowledged.
 */
export function startFailoverLoad(
  replicas: readonly [Replica, Replica],
  keys: readonly string[],
  acknowledged: (tags: readonly string[]) => boolean,
): FailoverLoad {
  const known = new Map(keys.map((key): [string, Known] => [key, { version: 0, invalidated: 0 }]))
  const counts = { reads: 0, acknowledged: 0 }
  let running = true
  const on = (replica: Replica) => replica.useCacheHandlers.default
  const versionOn = async (replica: Replica, key: string): Promise<number | undefined> => {
    counts.reads++
    const content = await contentOf(await on(replica).get(key, []))
    return content === undefined ? undefined : Number(content)
  }

  async function write(replica: Replica, key: string): Promise<number> {
    await versionOn(replica, key)
    const version = ++(known.get(key) as Known).version
    await on(replica).set(key, Promise.resolve(useCacheEntry(String(version), { tags: [key] })))
    return version
  }

  async function invalidate(replica: Replica, key: string): Promise<void> {
    const { version } = known.get(key) as Known
    const tag = `${key}:${version}`
    await on(replica).updateTags([key, tag])
    // The handler resolves as well when the invalidation was only kept for later.
    if (!acknowledged([tag])) return
    counts.acknowledged++
    const state = known.get(key) as Known
    state.invalidated = Math.max(state.invalidated, version)
  }

  async function run(writer: Replica, reader: Replica, mine: readonly string[]): Promise<void> {
    for (let round = 0; running; round++) {
      const key = mine[round % mine.length] as string
      await write(writer, key)
      await versionOn(reader, key)
      if (round % 3 === 0) await invalidate(writer, key)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  const [a, b] = replicas
  const half = keys.length / 2
  const loads = Promise.all([run(a, b, keys.slice(0, half)), run(b, a, keys.slice(half))])
  loads.catch(() => {})

  return {
    get reads() {
      return counts.reads
    },
    get acknowledged() {
      return counts.acknowledged
    },
    async stop() {
      running = false
      await loads
    },
    async recovered() {
      for (const key of keys) {
        for (const replica of replicas) {
          const seen = await versionOn(replica, key)
          const { invalidated } = known.get(key) as Known
          if (seen !== undefined && seen <= invalidated)
            throw new Error(`${key}: version ${seen} came back, though ${invalidated} was invalidated`)
        }
      }
      for (const key of keys) {
        await until(async () => {
          const version = await write(a, key)
          return (await versionOn(a, key)) === version && (await versionOn(b, key)) === version
        })
      }
    },
  }
}
