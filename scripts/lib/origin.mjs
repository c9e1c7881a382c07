// The store's origin as a process, and a client for everything it can be told.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { neutralEnv, startProcess } from './processes.mjs'

const server = join(fileURLToPath(new URL('../../examples/store/origin', import.meta.url)), 'server.mjs')

export async function startOrigin() {
  const origin = await startProcess({
    name: 'origin',
    command: process.execPath,
    args: [server],
    env: neutralEnv({ PORT: '0' }),
    ready: /origin ready on (\S+)/,
  })
  return { ...origin, url: origin.match[1], ...originClient(origin.match[1]) }
}

/** See examples/store/README.md for what each does. */
export function originClient(url) {
  const ask = async (method, path) => {
    const response = await fetch(url + path, { method })
    if (!response.ok) throw new Error(`The origin answered ${response.status} to ${method} ${path}`)
    return response.json()
  }
  const name = encodeURIComponent
  return {
    publish: async (id) => (await ask('POST', `/publish/${name(id)}`)).version,
    remove: (id) => ask('POST', `/remove/${name(id)}`),
    delay: (id, ms) => ask('POST', `/delay/${name(id)}?ms=${ms}`),
    fail: (id, status) => ask('POST', `/fail/${name(id)}?status=${status}`),
    closeGate: (id) => ask('POST', `/gate/${name(id)}/close`),
    openGate: (id) => ask('POST', `/gate/${name(id)}/open`),
    /** Resolves once `count` answers are being held at the gate. */
    untilHeld: (id, count = 1) => ask('GET', `/gate/${name(id)}?count=${count}`),
    counts: () => ask('GET', '/counts'),
    /** How often `reader` asked for `id`: the number of renders, since each asks once. */
    renders: async (reader, id) => (await ask('GET', '/counts')).counts[`${reader} ${id}`] ?? 0,
    reset: () => ask('POST', '/reset'),
  }
}
