// How entries and work are spread over the primaries of a Redis Cluster. The tag state of an application is one key.
import { ask } from './ask.mjs'
import { aligned } from './table.mjs'

/** Enough that chance alone stays far within the limit. */
const PAGES = 1_000
const AT_ONCE = 8
const LIMIT = 0.2
const LOAD_MS = 10_000

/**
 * @param {object} cell an open cell, on a Cluster
 * @returns rows, one per primary, and what is wrong
 */
export async function measureShards({ arena, load }, requestMs) {
  const { cluster, keyPrefix, replicas } = arena
  const primaries = await cluster.primaries()
  const home = await cluster.ownerOf(`${keyPrefix}:tags`)
  const entries = () =>
    Promise.all(primaries.map(async (node) => (await node.command('KEYS', `${keyPrefix}:*{*}`)).length))

  await load.pause()
  const before = await entries()
  let page = 0
  const visitor = async () => {
    while (page < PAGES) {
      const path = `/api/cached/spread-${page++}`
      const { status } = await ask(replicas[page % replicas.length].url + path, { limitMs: requestMs })
      if (status !== 200) throw new Error(`${path}: ${status}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, visitor))
  const after = await entries()
  load.resume()

  const work = await workOf(primaries)
  const phase = load.enter()
  await load.lasts(1, LOAD_MS)
  const requests = phase.durations.length
  const done = await workOf(primaries)

  const rows = primaries.map((node, index) => ({
    isHome: node === home,
    entries: after[index] - before[index],
    commands: (done[index].commands - work[index].commands) / requests,
    cpuMicros: (done[index].cpuMicros - work[index].cpuMicros) / requests,
    bytes: (done[index].bytes - work[index].bytes) / requests,
  }))
  return { rows, problems: unevenness(rows.map((row) => row.entries)) }
}

/** @param {number[]} counts */
export function unevenness(counts) {
  const fair = counts.reduce((sum, count) => sum + count) / counts.length
  const worst = Math.max(...counts.map((count) => Math.abs(count - fair) / fair))
  return worst <= LIMIT
    ? []
    : [`entries are spread ${counts.join(', ')}: ${Math.round(100 * worst)} percent off`]
}

/** What each has done since it was started. */
function workOf(nodes) {
  return Promise.all(
    nodes.map(async (node) => {
      const info = String(await node.command('INFO', 'all'))
      const field = (name) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)[1])
      return {
        commands: field('total_commands_processed'),
        cpuMicros: 1e6 * (field('used_cpu_user') + field('used_cpu_sys')),
        bytes: field('total_net_output_bytes'),
      }
    }),
  )
}

export function describeShards(rows) {
  return aligned([
    ['shard', 'new entries', 'commands', 'CPU µs', 'bytes sent'],
    ...rows.map(({ isHome, entries, commands, cpuMicros, bytes }) => [
      isHome ? 'that of the tag state' : 'another',
      String(entries),
      commands.toFixed(2),
      cpuMicros.toFixed(0),
      bytes.toFixed(0),
    ]),
  ])
}
