// Stands between one subject and its Redis: adds a delay to every answer, and counts what goes over the wire.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

const HOST = '127.0.0.1'

/** @param {number} targetPort @param {number} delayMs added to each answer, and by that to each round trip */
export async function startCountingProxy(targetPort, delayMs) {
  const sockets = new Set()
  let counts = { bytesUp: 0, bytesDown: 0, roundTrips: 0 }

  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port: targetPort, host: HOST, noDelay: true })
    // A burst of requests after an answer is a round trip; so is the first, which follows nothing.
    let answered = true
    const waiting = []
    let timer
    const handOver = () => {
      timer = undefined
      while (waiting.length > 0 && waiting[0].dueAt <= performance.now()) {
        answered = true
        client.write(waiting.shift().chunk)
      }
      schedule()
    }
    // Timers count in whole milliseconds and come late; the last one is waited for in turns of the event loop.
    const schedule = () => {
      if (timer !== undefined || waiting.length === 0) return
      const leftMs = waiting[0].dueAt - performance.now()
      timer = leftMs > 1.5 ? setTimeout(handOver, leftMs - 1) : setImmediate(handOver)
    }
    client.on('data', (chunk) => {
      if (answered) counts.roundTrips++
      answered = false
      counts.bytesUp += chunk.length
      upstream.write(chunk)
    })
    upstream.on('data', (chunk) => {
      counts.bytesDown += chunk.length
      waiting.push({ chunk, dueAt: performance.now() + delayMs })
      schedule()
    })
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ]) {
      sockets.add(socket)
      // An error is followed by `close`, which says all we need.
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        waiting.length = 0
        other.destroy()
      })
    }
  })
  server.listen(0, HOST)
  await once(server, 'listening')
  return {
    url: `redis://${HOST}:${server.address().port}`,
    /** What went over the wire since the last call. */
    take() {
      const taken = counts
      counts = { bytesUp: 0, bytesDown: 0, roundTrips: 0 }
      return taken
    },
    async stop() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
