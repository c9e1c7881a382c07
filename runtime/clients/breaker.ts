import { Circuit, type CircuitOptions } from './circuit'
import type { ConnectionEvent, RedisClient } from './client'
import { clientError, closedError } from './client-errors'
import { guarded } from './guarded'
import { createWaiters } from './readiness'

/**
 * The client of one server behind a circuit breaker: see `Circuit`. A client of several servers has a circuit for
 * each of them inside, and none around it.
 */
export function withBreaker(client: RedisClient, options: CircuitOptions): RedisClient {
  const listeners = new Set<(event: ConnectionEvent) => void>()
  const waiters = createWaiters()
  let closed = false

  function announce(event: ConnectionEvent): void {
    for (const listener of listeners) guarded(() => listener(event))
    if (event.type === 'ready') waiters.resolveAll()
  }
  const circuit = new Circuit(client, options, announce)
  client.onEvent((event) => circuit.hear(event))

  const notConnected = (): Error => circuit.refusing ?? clientError('Redis is not connected')

  return {
    ...client,
    get ready() {
      return circuit.ready
    },
    send: (commands, timeoutMs) => circuit.send(commands, timeoutMs),
    waitUntilReady(timeoutMs) {
      if (circuit.ready) return Promise.resolve()
      return closed ? Promise.reject(closedError()) : waiters.wait(timeoutMs, notConnected)
    },
    onEvent(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    async close() {
      closed = true
      circuit.close()
      waiters.rejectAll(closedError())
      await client.close()
    },
  }
}
