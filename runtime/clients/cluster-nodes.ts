import { Circuit, type CircuitOptions, type Endpoint } from './circuit'
import type { ConnectionEvent } from './client'
import { clientError, closedError } from './client-errors'
import { type Connection, openConnection } from './connection'
import type { OpenLink } from './link'
import { splitAddress } from './cluster-slots'
import { type SessionSettings } from './session'

/** A node without slots is left this long after its last use, in milliseconds: moving slots still lead to it. */
const UNUSED_MS = 5_000
/** More nodes than any cluster has: redirections come from outside, and shall not open sockets without end. */
const MAX_NODES = 1_000

export interface ClusterNode {
  readonly address: string
  /** Whether it can be asked, and asking it: behind a circuit of its own. */
  readonly endpoint: Endpoint
  /** Resolves with the outcome of the first dial, whatever it is; undefined once that is known. */
  readonly dialling: Promise<void> | undefined
}

/** The connections to the primaries of a cluster, one each, opened when they are first needed. */
export interface ClusterNodes {
  /** @throws DistributedCacheError CLIENT when there are too many */
  get(address: string): ClusterNode
  /** Whether there is a connection to it that can be used; opens none. */
  isReady(address: string): boolean
  /** Those that are ready, in random order. */
  ready(): ClusterNode[]
  /** Opens what serves slots now, and leaves in time what does not. */
  keep(addresses: ReadonlySet<string>): void
  close(): void
}

interface Entry extends ClusterNode {
  close(): void
  dialling: Promise<void> | undefined
  usedAt: number
}

export function openClusterNodes(
  openLink: OpenLink,
  settings: SessionSettings,
  circuitOptions: CircuitOptions,
  onEvent: (address: string, event: ConnectionEvent) => void,
): ClusterNodes {
  const nodes = new Map<string, Entry>()
  let kept: ReadonlySet<string> = new Set()
  let closed = false
  let sweep: NodeJS.Timeout | undefined

  function open(address: string): Entry {
    let dialled = (): void => {}
    const dialling = new Promise<void>((resolve) => (dialled = resolve))
    const target = { ...settings.target, ...splitAddress(address) }
    const circuit: Circuit = new Circuit(
      {
        get ready() {
          return connection.ready
        },
        send: (commands, timeoutMs = settings.commandMs) => connection.send(commands, timeoutMs),
      },
      circuitOptions,
      (event) => {
        if (nodes.get(address) === entry || closed) onEvent(address, event)
      },
    )
    const connection: Connection = openConnection(
      openLink,
      { ...settings, target },
      {
        onEvent(event) {
          entry.dialling = undefined
          dialled()
          circuit.hear(event)
        },
      },
    )
    const entry: Entry = {
      address,
      endpoint: circuit,
      dialling,
      usedAt: performance.now(),
      close() {
        connection.close()
        circuit.close()
      },
    }
    return entry
  }

  function leaveUnused(): void {
    clearTimeout(sweep)
    sweep = undefined
    const unusedSince = performance.now() - UNUSED_MS
    for (const [address, node] of nodes) {
      if (kept.has(address)) continue
      if (node.usedAt <= unusedSince) {
        nodes.delete(address)
        node.close()
      } else {
        sweep ??= setTimeout(leaveUnused, UNUSED_MS).unref()
      }
    }
  }

  return {
    get(address) {
      let node = nodes.get(address)
      if (node === undefined) {
        if (closed) throw closedError()
        if (nodes.size >= MAX_NODES) throw clientError('There are too many nodes to connect to')
        node = open(address)
        nodes.set(address, node)
        if (!kept.has(address)) sweep ??= setTimeout(leaveUnused, UNUSED_MS).unref()
      }
      node.usedAt = performance.now()
      return node
    },
    isReady: (address) => nodes.get(address)?.endpoint.ready === true,
    ready: () => shuffled([...nodes.values()].filter(({ endpoint }) => endpoint.ready)),
    keep(addresses) {
      kept = addresses
      for (const address of addresses) {
        if (!nodes.has(address) && nodes.size < MAX_NODES && !closed) nodes.set(address, open(address))
      }
      leaveUnused()
    },
    close() {
      closed = true
      clearTimeout(sweep)
      for (const node of nodes.values()) node.close()
      nodes.clear()
    },
  }
}

export function shuffled<T>(list: readonly T[]): T[] {
  const items = list.map((item) => ({ item, order: Math.random() }))
  return items.sort((a, b) => a.order - b.order).map(({ item }) => item)
}
