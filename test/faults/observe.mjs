// What the replicas hold: sockets to their Redis, and heap.
import { readdir, readFile, readlink } from 'node:fs/promises'
import { ask } from './ask.mjs'

const SOCKET = /^socket:\[(\d+)\]$/

/** Open sockets of each replica to its Redis: as the kernel sees them, where it lets itself be asked (Linux). */
export function openSockets({ replicas, portsOf, openOf }) {
  return Promise.all(
    replicas.map(async ({ pid }, index) => {
      try {
        return await socketsOf(pid, portsOf(index))
      } catch (error) {
        if (openOf === undefined) throw error
        return openOf(index)
      }
    }),
  )
}

async function socketsOf(pid, ports) {
  const remotes = new Set(ports.map((port) => port.toString(16).toUpperCase().padStart(4, '0')))
  const inodes = new Set()
  for (const line of (await readFile(`/proc/${pid}/net/tcp`, 'utf8')).split('\n').slice(1)) {
    const columns = line.trim().split(/\s+/)
    if (remotes.has(columns[2]?.split(':')[1])) inodes.add(columns[9])
  }
  let open = 0
  // The table holds the sockets of every process of the network namespace.
  for (const descriptor of await readdir(`/proc/${pid}/fd`)) {
    const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '')
    if (inodes.has(SOCKET.exec(target)?.[1])) open++
  }
  return open
}

/** Looks every so often until it is ended; resolves with the most that any replica held. */
export function watchSockets(arena, everyMs = 200) {
  let most = 0
  let ended = false
  let wake
  const watching = (async () => {
    while (!ended) {
      most = Math.max(most, ...(await openSockets(arena)))
      await new Promise((resolve) => {
        wake = resolve
        setTimeout(resolve, everyMs)
      })
    }
  })()
  // Whoever ends it hears of it.
  watching.catch(() => {})
  return async () => {
    ended = true
    wake?.()
    await watching
    return most
  }
}

/** Bytes of each replica's heap, garbage excluded. */
export function heaps({ replicas }) {
  return Promise.all(
    replicas.map(async ({ probe }) => {
      const { status, body } = await ask(probe)
      if (status !== 200) throw new Error(`The heap probe answered ${status}`)
      return JSON.parse(body).heapBytes
    }),
  )
}
