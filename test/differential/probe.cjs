// Preloaded into every server under test (NODE_OPTIONS=--require). Answers one question without taking
// part in anything: is work outstanding in this process? Next finishes much of its work after the
// response (background refreshes, cache writes), and nothing outside of the process can see that.
//
// The answer is given by a worker thread over HTTP; only the sample itself is taken on the main thread.
// It counts what the main thread began (asynchronous resources), so that two equal samples mean that
// nothing happened in between.
const { isMainThread, parentPort, Worker } = require('node:worker_threads')

if (isMainThread) observe()
else serve()

function observe() {
  const { createHook } = require('node:async_hooks')
  const { subscribe } = require('node:diagnostics_channel')

  let begun = 0
  let sampling = false
  /** Timers that a render waits for are short; what is longer is a deadline or a heartbeat. */
  const SHORT_MS = 250
  const shortTimers = new Set()
  createHook({
    init(_id, type, _trigger, resource) {
      if (sampling) return
      begun++
      if (type === 'Timeout' && resource._idleTimeout <= SHORT_MS && resource._repeat == null)
        shortTimers.add(resource)
    },
  }).enable()

  /** Requests that this process answers, and those it waits for. */
  const open = new Set()
  subscribe('http.server.request.start', ({ response }) => {
    open.add(response)
    response.once('close', () => open.delete(response))
  })
  subscribe('http.client.request.start', ({ request }) => {
    open.add(request)
    request.once('close', () => open.delete(request))
  })
  subscribe('undici:request:create', ({ request }) => open.add(request))
  subscribe('undici:request:trailers', ({ request }) => open.delete(request))
  subscribe('undici:request:error', ({ request }) => open.delete(request))

  const WORK = /^(Immediate|FSReq.*|.*Req|.*ReqWrap|WriteWrap|ConnectWrap|ShutdownWrap)$/
  function sample() {
    for (const timer of shortTimers)
      if (timer._destroyed || timer._onTimeout === null) shortTimers.delete(timer)
    const timers = [...shortTimers].filter((timer) => timer.hasRef()).length
    const resources = process.getActiveResourcesInfo().filter((type) => WORK.test(type))
    return {
      begun,
      busy: [
        ...(open.size > 0 ? [`${open.size} requests`] : []),
        ...(timers > 0 ? [`${timers} timers`] : []),
        ...resources,
      ],
    }
  }

  const worker = new Worker(__filename)
  worker.unref()
  worker.on('message', () => {
    sampling = true
    worker.postMessage(sample())
    sampling = false
  })
}

function serve() {
  const { createServer } = require('node:http')
  const waiting = []
  parentPort.on('message', (sample) => waiting.shift()?.end(JSON.stringify(sample)))
  const server = createServer((_request, response) => {
    waiting.push(response)
    parentPort.postMessage('sample')
  })
  server.listen(0, '127.0.0.1', () => console.log(`probe ready on http://127.0.0.1:${server.address().port}`))
}
