// One subject in a process of its own, told over IPC what to do: its heap, its CPU time and the state of its
// compiler are not shared with anybody it is compared with.
import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createHistogram } from 'node:perf_hooks'
import { operationsOf } from './operations.mjs'

// As Next's server does, before anything of it is loaded.
globalThis.AsyncLocalStorage = AsyncLocalStorage

let handlers
let operations
let cell
let keys = []
let fresh = 0
let kind
/** CPU time of this process when it began to import the subject. */
let cpuBefore

const commands = {
  async open({ module, settings, subjectKind }) {
    kind = subjectKind
    cpuBefore = process.cpuUsage()
    const { open } = await import(new URL(`../subjects/${module}`, import.meta.url).href)
    handlers = await open(settings)
    const { driverCpuMs } = handlers
    const bootCpuMs = cpuMsSince(cpuBefore) - (driverCpuMs ?? 0)
    // Only ours tells what of it its driver is; it is no part of the goal, and shown beside it.
    return driverCpuMs === undefined ? { bootCpuMs } : { bootCpuMs, driverCpuMs }
  },

  /** What a start costs with all that it puts off: until something that was written can be read. */
  async serve({ cell: wanted }) {
    cell = wanted
    operations = operationsOf(handlers, cell)
    const deadline = performance.now() + 10_000
    for (let attempt = 0; performance.now() < deadline; attempt++) {
      if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, 20))
      await operations.read('first')
      await operations.write('first')
      if ((await operations.read('first')) !== cell.bytes) continue
      return { servingCpuMs: cpuMsSince(cpuBefore), residentMiB: process.memoryUsage().rss / 2 ** 20 }
    }
    throw new Error('nothing that was written could be read')
  },

  /** Entries for the cell, written and read until a read finds what it will find in the measurement. */
  async prepare({ cell: wanted }) {
    cell = wanted
    operations = operationsOf(handlers, cell)
    keys = keysOf(cell)
    const heldBefore = await settledBytes()
    for (const key of keys) {
      // As Next does: nothing is written that was not missed before.
      await operations.read(key)
      await operations.write(key)
    }
    if (kind === 'ours' && cell.op === 'L1 hit') await untilLocal()
    let found = 0
    for (const key of [...keys, ...keys]) if ((await operations.read(key)) === cell.bytes) found++
    return {
      found: found / (2 * keys.length),
      retainedPerByte: Math.max(0, (await settledBytes()) - heldBefore) / (cell.bytes * keys.length),
    }
  },

  /** Many entries with the tags of the cell, which nobody reads. */
  async fill({ cell: wanted, count, concurrency }) {
    cell = wanted
    operations = operationsOf(handlers, cell)
    // What is written without a look at the store before it may rest on what was there before it was emptied.
    await operations.read('nothing')
    let next = 0
    const loop = async () => {
      while (next < count) await operations.write(`${cell.name} ${next++}`)
    }
    await Promise.all(Array.from({ length: concurrency }, loop))
  },

  /** For `ms`, and on until there were `minOps`, but never past `limitMs`. */
  async run({ ms, concurrency, minOps = 0, limitMs = 0 }) {
    const histogram = createHistogram()
    const work = workOf(cell.op)
    const counted = { ops: 0, wrong: 0, busyMs: 0, cpuMs: 0 }
    const endAt = performance.now() + ms
    const limitAt = performance.now() + limitMs
    const isOver = (now) => now >= endAt && (counted.ops >= minOps || now >= limitAt)
    const loop = async () => {
      do {
        const timed = await work()
        counted.ops++
        counted.busyMs += timed.ms
        counted.cpuMs += timed.cpuMs ?? 0
        if (!timed.ok) counted.wrong++
        histogram.record(Math.max(1, Math.round(timed.ms * 1e6)))
      } while (!isOver(performance.now()))
    }
    const cpuBefore = process.cpuUsage()
    const startedAt = performance.now()
    await Promise.all(Array.from({ length: concurrency }, loop))
    const wallMs = performance.now() - startedAt
    const { user, system } = process.cpuUsage(cpuBefore)
    // What follows a miss is not part of it: the rate is what these clients would reach without it.
    const isPart = cell.op === 'read miss'
    const seconds = (isPart ? counted.busyMs / concurrency : wallMs) / 1000
    // Of several at a time nobody can say whose CPU time it was.
    const ofReads = concurrency === 1 ? { cpuMsPerOp: counted.cpuMs / counted.ops } : {}
    return {
      opsPerSecond: counted.ops / seconds,
      p50Ms: histogram.percentile(50) / 1e6,
      p99Ms: histogram.percentile(99) / 1e6,
      ...(isPart ? ofReads : { cpuMsPerOp: (user + system) / 1000 / counted.ops }),
      ops: counted.ops,
      wrong: counted.wrong,
    }
  },

  /** Goes on with a cell whose entries are there already. */
  use({ cell: wanted }) {
    cell = wanted
    operations = operationsOf(handlers, cell)
    keys = keysOf(cell)
  },

  /** The first entry, anew: as Next does, it is missed and then written. */
  async rewrite() {
    await operations.read(keys[0])
    await operations.write(keys[0])
  },

  /** @returns the bytes that one read of the first entry gave */
  async readOnce() {
    return { bytes: await operations.read(keys[0]) }
  },

  /** @returns when the invalidation was acknowledged, in the clock that the processes of a machine share */
  async invalidate() {
    const startedAt = sharedNow()
    await operations.invalidate(cell.tags[0])
    const at = sharedNow()
    return { at, ms: at - startedAt }
  },

  /** Reads one entry until it is gone. @returns when the last read began that still found it */
  async untilGone({ limitMs }) {
    const deadline = sharedNow() + limitMs
    let foundAt = 0
    for (;;) {
      const at = sharedNow()
      if ((await operations.read(keys[0])) === 0) break
      foundAt = at
      if (at > deadline) return {}
      // What others say must be heard between two reads from memory.
      await new Promise((resolve) => setImmediate(resolve))
    }
    // As Next does: whoever waits for this entry is not left waiting.
    await operations.write(keys[0])
    return { foundAt }
  },

  /** So many operations, one after the other, for whoever counts what goes over the wire. */
  async repeat({ count }) {
    const work = workOf(cell.op, false)
    for (let index = 0; index < count; index++) await work()
  },

  async close() {
    await handlers?.close()
  },
}

/** One operation: how long it took, and whether it gave what it had to. */
function workOf(op, withWrites = true) {
  let turn = 0
  const timed = async (call, isRight = () => true) => {
    const startedAt = performance.now()
    const result = await call()
    return { ms: performance.now() - startedAt, ok: isRight(result) }
  }
  switch (op) {
    case 'write':
      return () => timed(() => operations.write(keys[turn++ % keys.length]))
    case 'invalidate':
      return () => timed(() => operations.invalidate(cell.tags[turn++ % cell.tags.length]))
    case 'read miss':
      return async () => {
        const key = `missing ${process.pid} ${fresh++}`
        const cpuBefore = process.cpuUsage()
        const read = await timed(
          () => operations.read(key),
          (size) => size === 0,
        )
        const { user, system } = process.cpuUsage(cpuBefore)
        read.cpuMs = (user + system) / 1000
        // As Next does: whoever waits for this entry is not left waiting.
        if (withWrites) await operations.write(key)
        return read
      }
    default:
      return () =>
        timed(
          () => operations.read(keys[turn++ % keys.length]),
          (size) => size === cell.bytes,
        )
  }
}

/** Memory answers once a subscription proves it. */
async function untilLocal() {
  let local = 0
  const listen = ({ tier }) => {
    local = tier === 'local' ? local + 1 : 0
  }
  subscribe('next-distributed-cache:read', listen)
  const deadline = performance.now() + 10_000
  while (local < keys.length && performance.now() < deadline) {
    for (const key of keys) await operations.read(key)
    if (local < keys.length) await new Promise((resolve) => setTimeout(resolve, 20))
  }
  unsubscribe('next-distributed-cache:read', listen)
}

const keysOf = ({ name, keys: count }) => Array.from({ length: count }, (_, index) => `${name} ${index}`)

function cpuMsSince(before) {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

const sharedNow = () => performance.timeOrigin + performance.now()

/** What the heap and its buffers hold when nothing is in flight. */
async function settledBytes() {
  for (let round = 0; round < 2; round++) {
    await new Promise((resolve) => setTimeout(resolve, 10))
    globalThis.gc()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

process.on('message', async ({ id, type, ...message }) => {
  try {
    process.send({ id, result: (await commands[type](message)) ?? {} })
  } catch (error) {
    process.send({ id, error: String(error?.stack ?? error) })
  }
  if (type === 'close') process.disconnect()
})
// Drivers of others keep the process; whoever started it decides when it ends.
process.on('disconnect', () => process.exit())
