import type { Milliseconds } from '../../src/units'
import { Circuit, type CircuitOptions } from './circuit'
import type { ConnectionEvent, RedisClient } from './client'
import { closedError } from './connection'
import { guarded } from './guarded'
import { clientError } from './session'

/**
 * The client of one server behind a circuit breaker: see `Circuit`. A client of several servers has a circuit for
 * each of them inside, and none around it.
 */
export function withBreaker(client: RedisClient, options: CircuitOptions): RedisClient {
  const listeners = new Set<(event: ConnectionEvent) => void>()
  const waiters = new Set<(error?: Error) => void>()
  let closed = false

  function announce(event: ConnectionEvent): void {
    for (const listener of listeners) guarded(() => listener(event))
    if (event.type === 'ready') for (const settle of waiters) settle()
  }
  const circuit = new Circuit(client, options, announce)
  client.onEvent((event) => circuit.hear(event))

  function wait(timeoutMs: Milliseconds): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: Error): void => {
        clearTimeout(timer)
        waiters.delete(settle)
        if (error === undefined) resolve()
        else reject(error)
      }
      const late = (): void => settle(circuit.refusing ?? clientError('Redis is not connected'))
      const timer = setTimeout(late, timeoutMs)
      waiters.add(settle)
    })
  }

  return {
    ...client,
    get ready() {
      return circuit.ready
    },
    send: (commands, timeoutMs) => circuit.send(commands, timeoutMs),
    waitUntilReady(timeoutMs) {
      if (circuit.ready) return Promise.resolve()
      return closed ? Promise.reject(closedError()) : wait(timeoutMs)
    },
    onEvent(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    async close() {
      closed = true
      circuit.close()
      for (const settle of waiters) settle(closedError())
      await client.close()
    },
  }
}
