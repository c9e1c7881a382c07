// Stands between one replica and Redis, tells its command connection from its subscriber, and breaks them.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { createFrameSplitter, messageKind } from './resp-frames.mjs'

const HOST = '127.0.0.1'

/** @typedef {'command' | 'subscriber' | 'both'} Role */

/** @param {number} targetPort @param {{ port?: number }} [options] `port`: one to come back to after `refuse` */
export async function startLinkProxy(targetPort, { port = 0 } = {}) {
  const links = new Set()
  let target = targetPort
  const delays = { command: 0, subscriber: 0 }
  const stalled = { command: false, subscriber: false }
  /** Kinds of messages to be taken out, one each; `any`: whatever comes next. */
  let drops = []
  /** Until then all of them are. */
  let burstUntil = 0
  /** Until then nothing but heartbeats comes through. */
  let deafUntil = 0
  let taken = 0
  let onDropped = () => {}

  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port: target, host: HOST, noDelay: true })
    const link = {
      client,
      upstream,
      role: 'command',
      dead: false,
      queues: { up: [], down: [] },
      split: undefined,
    }
    links.add(link)
    client.on('data', (chunk) => {
      // The name of the connection is the first thing that the replica says on it.
      if (
        link.role === 'command' &&
        /:subscriber|\r\nsubscribe\r\n/i.test(chunk.toString('latin1', 0, 2_000))
      ) {
        link.role = 'subscriber'
        link.split = createFrameSplitter()
        applyStall(link)
      }
      forward(link, 'up', upstream, chunk)
    })
    upstream.on('data', (chunk) => {
      if (link.split === undefined) return forward(link, 'down', client, chunk)
      for (const frame of link.split(chunk)) if (!dropped(frame)) forward(link, 'down', client, frame)
    })
    const drop = () => {
      links.delete(link)
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) {
      // An error is followed by `close`, which says all we need.
      socket.on('error', () => {})
      socket.on('close', drop)
    }
    applyStall(link)
  })
  server.listen(port, HOST)
  await once(server, 'listening')
  const { port: ownPort } = server.address()

  function forward(link, direction, socket, bytes) {
    if (link.dead) return
    const delayMs = direction === 'down' ? delays[link.role] : 0
    const queue = link.queues[direction]
    if (delayMs === 0 && queue.length === 0) return void socket.write(bytes)
    queue.push({ bytes, dueAt: performance.now() + delayMs })
    if (queue.length === 1) pump(link, queue, socket)
  }

  /** One timer, for the head of the queue: timers of their own could overtake each other when a delay changes. */
  function pump(link, queue, socket) {
    setTimeout(
      () => {
        if (!link.dead) socket.write(queue[0].bytes)
        queue.shift()
        if (queue.length > 0) pump(link, queue, socket)
      },
      Math.max(0, queue[0].dueAt - performance.now()),
    )
  }

  function dropped(frame) {
    const isBurst = performance.now() < burstUntil
    const isDeaf = performance.now() < deafUntil
    if (drops.length === 0 && !isBurst && !isDeaf) return false
    const kind = messageKind(frame)
    if (kind === undefined) return false
    if (isDeaf && kind !== 'heartbeat') return ++taken > 0
    const index = drops.findIndex((wanted) => wanted.kind === kind || wanted.kind === 'any')
    if (index === -1) return isBurst
    const [{ burstMs }] = drops.splice(index, 1)
    burstUntil = performance.now() + burstMs
    onDropped(kind)
    return true
  }

  function applyStall({ client, upstream, role }) {
    for (const socket of [client, upstream]) {
      if (stalled[role]) socket.pause()
      else socket.resume()
    }
  }

  const rolesOf = (role) => (role === 'both' ? ['command', 'subscriber'] : [role])
  const linksOf = (role) => [...links].filter((link) => rolesOf(role).includes(link.role))

  return {
    port: ownPort,
    url: `redis://${HOST}:${ownPort}`,
    /** Connections that are open now, and not silent for ever. */
    get open() {
      return [...links].filter((link) => !link.dead).length
    },
    /** New connections lead to another port. */
    retarget(otherPort) {
      target = otherPort
    },
    /** Nobody listens any more: connections that are open stay open, new ones are refused. */
    async refuse(on) {
      if (on === !server.listening) return
      // It would call back when what is open is closed, too; that nobody listens is true at once.
      if (on) server.close()
      else await listenAgain(server, ownPort)
    },
    /** Hands everything over this much later; 0 ends it. */
    delay(role, ms) {
      for (const one of rolesOf(role)) delays[one] = ms
    },
    /** Nothing moves until `stall(role, false)`, and then all of it does. */
    stall(role, on) {
      for (const one of rolesOf(role)) stalled[one] = on
      for (const link of linksOf(role)) applyStall(link)
    },
    /** Resets what is open; new connections are served. */
    cut(role) {
      for (const { client } of linksOf(role)) client.resetAndDestroy()
    },
    /** What is open stays open and is silent for ever. Resolves when the replica has given all of it up. */
    async halfOpen(role) {
      const victims = linksOf(role)
      for (const link of victims) link.dead = true
      await Promise.all(
        victims.map(({ client }) => client.destroyed || once(client, 'close').catch(() => {})),
      )
    },
    /** Takes the next message of a kind out of what the subscriber hears, and all that follow for so long. */
    drop(kind, burstMs, callback) {
      drops.push({ kind, burstMs })
      onDropped = callback
    },
    /** Messages that did not come through since the proxy was made deaf first. */
    get taken() {
      return taken
    },
    /** Takes everything but heartbeats out of what the subscriber hears, for so long. */
    deafen(ms) {
      deafUntil = performance.now() + ms
    },
    heal() {
      drops = []
      deafUntil = 0
      burstUntil = 0
      for (const role of ['command', 'subscriber']) {
        delays[role] = 0
        stalled[role] = false
      }
      for (const link of links) applyStall(link)
    },
    async close() {
      for (const { client } of links) client.destroy()
      if (!server.listening) return
      server.close()
      await once(server, 'close')
    },
  }
}

/** Whoever looks for a free port may hold ours for a moment. */
async function listenAgain(server, port) {
  for (let attempt = 1; ; attempt++) {
    server.listen(port, HOST)
    try {
      return await once(server, 'listening')
    } catch (error) {
      if (error.code !== 'EADDRINUSE' || attempt === 50) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}
