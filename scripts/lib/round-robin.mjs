// A load balancer in its simplest form: each request goes to the next replica.
import { createServer, request as httpRequest } from 'node:http'
import { once } from 'node:events'

/** @param {{ name: string, url: string }[]} replicas */
export async function startRoundRobin(replicas, { port = 0 } = {}) {
  let turn = 0
  const server = createServer((incoming, outgoing) => {
    const replica = replicas[turn++ % replicas.length]
    const forwarded = httpRequest(
      replica.url + incoming.url,
      {
        method: incoming.method,
        headers: { ...incoming.headers, 'x-forwarded-host': incoming.headers.host ?? '' },
      },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, { ...answer.headers, 'x-replica': replica.name })
        answer.pipe(outgoing)
      },
    )
    forwarded.on('error', () => {
      if (!outgoing.headersSent) outgoing.writeHead(502, { 'x-replica': replica.name })
      outgoing.end()
    })
    outgoing.on('close', () => forwarded.destroy())
    incoming.pipe(forwarded)
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
