// Preloaded into every replica (NODE_OPTIONS=--require): says over HTTP what the heap holds after a collection.
const { isMainThread } = require('node:worker_threads')

if (isMainThread) {
  const { setFlagsFromString } = require('node:v8')
  const { runInNewContext } = require('node:vm')
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')

  const { createServer } = require('node:http')
  const server = createServer((_request, response) => {
    // What the first collection finalizes, the second frees.
    collect()
    collect()
    const { heapUsed, external } = process.memoryUsage()
    response.writeHead(200, { connection: 'close' })
    response.end(JSON.stringify({ heapBytes: heapUsed + external }))
  })
  server.listen(0, '127.0.0.1', () => console.log(`heap probe on http://127.0.0.1:${server.address().port}`))
  server.unref()
}
