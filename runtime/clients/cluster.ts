import { hashSlot } from '../../src/hash-slot'
import type { RedisTarget } from '../../src/redis-url'
import { askOnce } from './ask-once'
import type { CircuitChange, ConnectionEvent, RedisClient } from './client'
import { clientError, closedError } from './client-errors'
import { createClusterBatches } from './cluster-batch'
import { createClusterMap, type MapSource } from './cluster-map'
import { type ClusterNode, openClusterNodes, shuffled } from './cluster-nodes'
import { splitAddress } from './cluster-slots'
import { guarded } from './guarded'
import type { OpenLink } from './link'
import { createWaiters } from './readiness'
import { type SessionSettings } from './session'
import { openSubscriber } from './subscriber'
import { createSubscriptions } from './subscriptions'

export interface ClusterOptions extends Omit<SessionSettings, 'target'> {
  readonly homeKey: string
  readonly onCircuit: ((change: CircuitChange) => void) | undefined
}

/**
 * A client of a Redis Cluster: one connection to each primary, and one for subscriptions. Home is the node
 * that serves `homeKey`: the client is ready when home is, subscribes there, and sends there what has no key.
 * Replicas are never read: they may not know of an invalidation that was acknowledged.
 */
export function createClusterClient(
  openLink: OpenLink,
  seeds: readonly [RedisTarget, ...RedisTarget[]],
  { homeKey, onCircuit, ...options }: ClusterOptions,
): RedisClient {
  const settings: SessionSettings = { ...options, target: seeds[0] }
  const circuits = { commandMs: settings.commandMs, ...(onCircuit && { onChange: onCircuit }) }
  const homeSlot = hashSlot(homeKey)
  const listeners = new Set<(event: ConnectionEvent) => void>()
  const waiters = createWaiters()
  let closed = false
  /** Address of the home that was announced as ready. */
  let home: string | undefined
  let lastReason = 'it is still connecting'
  let subscribedAt: string | undefined
  /** A node that was lost or is confused is asked last. */
  let suspect: string | undefined

  const nodes = openClusterNodes(openLink, settings, circuits, (address, event) => {
    if (event.type === 'end') {
      suspect = address
      map.refresh()
    }
    const isHome = address === map.ownerOf(homeSlot)
    if (isHome || address === home) updateHome(event.type === 'end' ? event.reason : undefined)
  })

  const map = createClusterMap({
    sources: () => {
      const ready = nodes.ready()
      ready.sort((a, b) => Number(a.address === suspect) - Number(b.address === suspect))
      return [...ready.map((node) => [sourceOf(node)]), shuffled(seeds).map(seedSource)]
    },
    isSettled: (owners) => [...owners].every((address) => nodes.isReady(address)),
    onMap(owners) {
      nodes.keep(owners)
      updateHome(undefined)
    },
    onFailure: (reason) => updateHome(`No node of the Redis Cluster told its slots: ${reason}`),
  })
  map.refresh()

  const sourceOf = ({ address, endpoint }: ClusterNode): MapSource => ({
    host: splitAddress(address).host,
    ask: (commands) => endpoint.send(commands, settings.commandMs),
  })
  const seedSource = (target: RedisTarget): MapSource => ({
    host: target.host,
    ask: (commands) => askOnce(openLink, { ...settings, target }, commands, settings.connectMs),
  })

  /** Announces that home was lost, moved, or is there; called whenever one of these may be so. */
  function updateHome(failure: string | undefined): void {
    const address = map.ownerOf(homeSlot)
    const isReady = !closed && address !== undefined && nodes.isReady(address)
    if (home !== undefined && (home !== address || !isReady)) {
      home = undefined
      tell({ type: 'end', reason: failure ?? 'Its keys moved to another node of the Redis Cluster' })
    } else if (home === undefined && failure !== undefined) {
      tell({ type: 'end', reason: failure })
    }
    if (!isReady || home !== undefined) return
    home = address
    if (subscribedAt !== undefined && subscribedAt !== home)
      subscriptions.subscriber?.redial('The tag state is on another node of the Redis Cluster')
    tell({ type: 'ready' })
    waiters.resolveAll()
  }

  function tell(event: ConnectionEvent): void {
    if (event.type === 'end') lastReason = event.reason
    for (const listener of listeners) guarded(() => listener(event))
  }

  /** Home, so that invalidations need no other node to be heard; while it is away, any node that lives. */
  const dialForSubscriptions: OpenLink = (_target, connectMs, events) => {
    const address = home ?? nodes.ready()[0]?.address
    const [seed] = shuffled(seeds)
    const target =
      address === undefined ? (seed as RedisTarget) : { ...settings.target, ...splitAddress(address) }
    subscribedAt = `${target.host}:${target.port}`
    return openLink(target, connectMs, events)
  }
  const subscriptions = createSubscriptions(() =>
    openSubscriber(dialForSubscriptions, { ...settings, clientName: `${settings.clientName}:subscriber` }),
  )
  const sendBatch = createClusterBatches({ map, nodes, homeSlot })
  const notConnected = () => (closed ? closedError() : clientError(`Redis is not connected (${lastReason})`))

  return {
    get ready() {
      return home !== undefined
    },
    waitUntilReady(timeoutMs) {
      if (home !== undefined) return Promise.resolve()
      return closed ? Promise.reject(closedError()) : waiters.wait(timeoutMs, notConnected)
    },
    send(commands, timeoutMs = settings.commandMs) {
      if (closed || !map.known) {
        return commands.length === 0 && !closed ? Promise.resolve([]) : Promise.reject(notConnected())
      }
      return sendBatch(commands, timeoutMs)
    },
    laneOf: (key) => map.ownerOf(hashSlot(key)) ?? '',
    onEvent(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    subscribe: subscriptions.subscribe,
    async close() {
      if (closed) return
      closed = true
      map.close()
      nodes.close()
      subscriptions.close()
      if (home !== undefined) updateHome('The Redis client was closed')
      waiters.rejectAll(closedError())
    },
  }
}
