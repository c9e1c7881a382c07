import { EventEmitter, once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { urlOf } from './redis-server'

export interface TcpProxy {
  readonly port: number
  readonly url: string
  /** Connections accepted since the start or the last `resetCounters`. */
  readonly connections: number
  /** Connections that are open now. */
  readonly open: number
  /**
   * Round trips since the start or the last `resetCounters`, over all connections: bursts of requests that
   * were written after a response had been handed to the client. Requests that arrive before that cannot
   * depend on the response, however many segments they come in. A `delay` makes the count exact: without
   * one, a response to the first half of a large write can overtake its second half.
   */
  readonly roundTrips: number
  resetCounters(): void
  /** Swallows nothing and moves nothing, in either direction; new connections are accepted and left hanging. */
  pause(): void
  resume(): void
  /** Resets every open connection; new ones are served. */
  cut(): void
  /** Serves new connections from another server, as after a failover. */
  retarget(port: number): void
  /** Hands each response over this much later, in milliseconds; 0 ends it. */
  delay(ms: number): void
  /** Resolves at the next new connection. */
  nextConnection(): Promise<void>
  /** Resolves when the next bytes of a client have arrived. Not while paused: nothing is read then. */
  nextRequest(): Promise<void>
  close(): Promise<void>
}

const HOST = '127.0.0.1'

/** Stands between a client and a server on this machine, counts, and breaks things on command. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const pairs = new Set<{ client: Socket; upstream: Socket }>()
  const happened = new EventEmitter()
  let connections = 0
  let roundTrips = 0
  let paused = false
  let delayMs = 0
  let upstreamPort = targetPort

  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port: upstreamPort, host: HOST, noDelay: true })
    const pair = { client, upstream }
    pairs.add(pair)
    connections++
    // The first request follows nothing, and is a round trip all the same.
    let responded = true

    client.on('data', (chunk) => {
      if (responded) roundTrips++
      responded = false
      upstream.write(chunk)
      happened.emit('request')
    })
    upstream.on('data', (chunk) => {
      const handOver = (): void => {
        responded = true
        client.write(chunk)
      }
      // Timers of equal length fire in the order of their start, which keeps the bytes in order.
      if (delayMs > 0) setTimeout(handOver, delayMs)
      else handOver()
    })
    const drop = (): void => {
      pairs.delete(pair)
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) {
      // An error is followed by `close`, which says all we need.
      socket.on('error', () => {})
      socket.on('close', drop)
      if (paused) socket.pause()
    }
    happened.emit('connection')
  })
  server.listen(0, HOST)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  const forEachSocket = (action: (socket: Socket) => void): void => {
    for (const { client, upstream } of pairs) {
      action(client)
      action(upstream)
    }
  }
  const cut = (): void => {
    for (const { client } of pairs) client.resetAndDestroy()
  }
  return {
    port,
    url: urlOf(targetPort, port),
    get connections() {
      return connections
    },
    get open() {
      return pairs.size
    },
    get roundTrips() {
      return roundTrips
    },
    resetCounters() {
      connections = 0
      roundTrips = 0
    },
    pause() {
      paused = true
      forEachSocket((socket) => socket.pause())
    },
    resume() {
      paused = false
      forEachSocket((socket) => socket.resume())
    },
    cut,
    retarget(to) {
      upstreamPort = to
    },
    delay(ms) {
      delayMs = ms
    },
    async nextConnection() {
      await once(happened, 'connection')
    },
    async nextRequest() {
      await once(happened, 'request')
    },
    async close() {
      cut()
      if (!server.listening) return
      server.close()
      await once(server, 'close')
    },
  }
}
