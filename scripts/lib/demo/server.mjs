// Serves the demo page, its live state (server-sent events) and its buttons.
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { startVisitors } from './visitors.mjs'

const ACTIONS = ['change', 'publish', 'invalidate', 'invalidate-max', 'new-product']

export async function startDemoServer(fleets, { port = 0 } = {}) {
  const watchers = new Set()
  const send = (response, state) => response.write(`data: ${JSON.stringify(state)}\n\n`)
  const visitors = startVisitors(fleets, (state) => {
    for (const watcher of watchers) send(watcher, state)
  })

  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://demo')
    if (request.method === 'GET' && pathname === '/') {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
      return response.end(await readFile(new URL('page.html', import.meta.url)))
    }
    if (request.method === 'GET' && pathname === '/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
      watchers.add(response)
      send(response, visitors.state)
      visitors.watch(true)
      response.on('close', () => {
        watchers.delete(response)
        visitors.watch(watchers.size > 0)
      })
      return
    }
    const action = ACTIONS.find((one) => pathname === `/actions/${one}`)
    // Other sites in the same browser can reach this address too; the buttons are not theirs.
    const foreign = !['same-origin', undefined].includes(request.headers['sec-fetch-site'])
    if (request.method === 'POST' && action && !foreign) {
      await visitors.act(action).then(
        () => response.writeHead(204),
        (error) => response.writeHead(500).write(error.message),
      )
      return response.end()
    }
    response.writeHead(404).end()
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    async stop() {
      await visitors.stop()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
