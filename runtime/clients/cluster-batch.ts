import { hashSlot } from '../../src/hash-slot'
import { timeoutError } from '../within'
import type { RedisCommand, RedisReply } from './client'
import { clientError } from './client-errors'
import type { ClusterMap } from './cluster-map'
import type { ClusterNode, ClusterNodes } from './cluster-nodes'
import { parseRedirection, splitAddress } from './cluster-slots'

/** Replies after which the same command may succeed in a moment; none of them ran it. */
const PASSING = /^(?:TRYAGAIN|CLUSTERDOWN|LOADING|MASTERDOWN)\b/
/** Pause before a command is sent again, in milliseconds, jittered over its upper half. */
const PAUSE_MS = 30
/** Redirections that are followed at once. Nodes that do not agree yet point at each other, for a moment. */
const PROMPT_ATTEMPTS = 3

const ASKING: RedisCommand = { key: undefined, args: ['ASKING'] }

interface Pending {
  readonly index: number
  readonly command: RedisCommand
  readonly slot: number
  /** Where a slot that is moving sent this command, once. */
  askAt?: string | undefined
}

export interface ClusterBatchOptions {
  readonly map: ClusterMap
  readonly nodes: ClusterNodes
  /** Where commands without a key go. */
  readonly homeSlot: number
}

/** Sends a batch: one write per node, all at once; follows redirections within the time of the batch. */
export type SendClusterBatch = (commands: readonly RedisCommand[], timeoutMs: number) => Promise<RedisReply[]>

export function createClusterBatches({ map, nodes, homeSlot }: ClusterBatchOptions): SendClusterBatch {
  return async (commands, timeoutMs) => {
    const deadline = performance.now() + timeoutMs
    const replies: RedisReply[] = Array.from({ length: commands.length })
    let pending = commands.map((command, index): Pending => {
      return { index, command, slot: command.key === undefined ? homeSlot : hashSlot(command.key) }
    })
    for (let attempt = 1; ; attempt++) {
      // Never less than a moment: a batch whose time is over has been answered already.
      const leftMs = Math.max(1, Math.ceil(deadline - performance.now()))
      const groups = byNode(pending)
      const answers = await Promise.all(
        Array.from(groups, ([address, group]) => exchange(address, group, leftMs, timeoutMs)),
      )
      const again: Pending[] = []
      let pauses = false
      let at = 0
      for (const [address, group] of groups) {
        const own = answers[at++] as RedisReply[]
        for (const [position, each] of group.entries()) {
          const reply = own[position] as RedisReply
          replies[each.index] = reply
          const verdict = reply instanceof Error ? judge(reply, each, address) : 'done'
          if (verdict !== 'done') again.push(each)
          if (verdict === 'pause') pauses = true
        }
      }
      if (again.length === 0) return replies
      if (pauses || attempt > PROMPT_ATTEMPTS) await pause(PAUSE_MS / 2 + (Math.random() * PAUSE_MS) / 2)
      // What Redis said last is the answer: it says more than a timeout would.
      if (performance.now() >= deadline) return replies
      pending = again
    }
  }

  function byNode(pending: readonly Pending[]): Map<string, Pending[]> {
    const groups = new Map<string, Pending[]>()
    for (const each of pending) {
      const address = each.askAt ?? map.ownerOf(each.slot)
      if (address === undefined)
        throw clientError(
          map.known
            ? 'No node of the Redis Cluster serves this slot'
            : 'The nodes of the Redis Cluster are not known yet',
        )
      const group = groups.get(address)
      if (group === undefined) groups.set(address, [each])
      else group.push(each)
    }
    return groups
  }

  /** What to do about an error reply; remembers where to go. */
  function judge(error: Error, each: Pending, address: string): 'done' | 'again' | 'pause' {
    each.askAt = undefined
    const redirection = parseRedirection(error.message, splitAddress(address).host)
    if (redirection?.kind === 'MOVED') {
      map.moved(redirection.slot, redirection.address)
      return 'again'
    }
    if (redirection?.kind === 'ASK') {
      each.askAt = redirection.address
      return 'again'
    }
    if (!PASSING.test(error.message)) return 'done'
    if (!error.message.startsWith('TRYAGAIN')) map.refresh()
    return 'pause'
  }

  async function exchange(
    address: string,
    group: readonly Pending[],
    leftMs: number,
    timeoutMs: number,
  ): Promise<RedisReply[]> {
    const node = nodes.get(address)
    // Up to here everything happened in the turn of the call, and so does the write to a connected node.
    let waitedMs = 0
    if (node.dialling !== undefined) {
      const since = performance.now()
      await dialled(node, leftMs, timeoutMs)
      waitedMs = Math.floor(performance.now() - since)
    }
    if (group.every(({ askAt }) => askAt === undefined)) {
      return node.endpoint.send(
        group.map(({ command }) => command),
        Math.max(1, leftMs - waitedMs),
      )
    }
    const commands = group.flatMap(({ command, askAt }) =>
      askAt === undefined ? [command] : [ASKING, command],
    )
    const replies = await node.endpoint.send(commands, Math.max(1, leftMs - waitedMs))
    return replies.filter((_, index) => commands[index] !== ASKING)
  }
}

/** Waits for the first dial of a node, which a redirection may have begun. */
async function dialled({ dialling }: ClusterNode, leftMs: number, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(timeoutError(timeoutMs)), leftMs)
  })
  try {
    await Promise.race([dialling, timeout])
  } finally {
    clearTimeout(timer)
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
