import { DistributedCacheError } from '../../src/errors'
import type { Bid, Patience, Store, StoredBytes } from '../../src/store'
import type { TagView } from '../../src/tag-state'
import type { Milliseconds } from '../../src/units'
import type { RedisClient, RedisCommand, RedisReply } from '../clients/client'
import { startFairTimeout } from '../clients/fair-timeout'
import { timeoutError } from '../within'
import { claimOf, parseLease } from './leases'
import { entryBytes, type ParsedTagView } from './replies'
import { claimLeaseScript } from './scripts/claim-lease'
import { readEntryScript } from './scripts/read-entry'

/** Nobody is answered before the last reply of a batch: more keys than these cost the first more than they save. */
const MAX_KEYS = 64
/** Tags of a batch that more reads may join, so that its tag state stays a small part of it. */
const MAX_TAGS = 500
/** A tag state that was mended and is damaged again, or lost again. */
const MAX_ATTEMPTS = 3

/** One caller's part of a batch. */
interface Read {
  /** Undefined: the tag state alone. */
  readonly key: string | undefined
  readonly stamp: Buffer | undefined
  readonly tags: readonly string[]
  readonly patience: Patience | undefined
  /** Until it is settled. */
  bid: Bid | undefined
  resolve(stored: StoredBytes): void
  reject(error: unknown): void
  settled: boolean
}

interface Batch {
  readonly lane: string
  readonly reads: Read[]
  readonly tags: Set<string>
}

export interface ReadBatchesOptions {
  readonly client: Pick<RedisClient, 'laneOf'>
  readonly commandMs: Milliseconds
  /** Offset of the last byte that a read transfers. */
  readonly end: string
  /** Sends commands that end with a read of the tag state; no view: the state is missing or behind. */
  ask(
    commands: RedisCommand[],
    tags: readonly string[],
    timeoutMs: Milliseconds,
  ): Promise<[replies: RedisReply[], view: ParsedTagView | undefined]>
  /** Makes a tag state whole that is missing or behind. */
  recover(timeoutMs: Milliseconds): Promise<void>
  /** Replaces records of tags that cannot be read. */
  mend(damaged: readonly string[], timeoutMs: Milliseconds): Promise<void>
  /** A read whose script the server does not know. */
  readByScript(key: string, stamp: Buffer, tags: readonly string[], patience?: Patience): Promise<StoredBytes>
}

/** What every read of the tag state, with an entry or without, goes through. */
export type ReadBatches = Pick<Store, 'read' | 'readTags'>

/**
 * Reads that are asked for in one turn share one exchange: their entries, then one look at the tags of all of them,
 * which therefore judges each entry safely. They share no fate: whoever has less patience leaves earlier, and an error
 * or a damaged tag is the matter of those who asked for it. In a Cluster a batch is of one node's entries, so that
 * a node that is away keeps nobody else from an answer.
 */
export function createReadBatches(options: ReadBatchesOptions): ReadBatches {
  const { client, commandMs, end } = options
  let open: Batch[] = []

  function join(read: Read): void {
    const lane = read.key === undefined ? '' : client.laneOf(read.key)
    let batch = open.find((each) => each.lane === lane)
    if (batch === undefined) {
      if (open.length === 0) process.nextTick(flush)
      batch = { lane, reads: [], tags: new Set() }
      open.push(batch)
    }
    batch.reads.push(read)
    for (const tag of read.tags) batch.tags.add(tag)
    if (batch.reads.length >= MAX_KEYS || batch.tags.size >= MAX_TAGS) {
      open = open.filter((each) => each !== batch)
      void exchange(batch)
    }
  }

  function flush(): void {
    const batches = open
    open = []
    for (const batch of batches) void exchange(batch)
  }

  /** Never rejects: every read of the batch is settled with what became of it. */
  async function exchange({ reads, tags }: Batch): Promise<void> {
    let waiting: readonly Read[] = reads
    let asked = [...tags]
    try {
      for (let attempt = 1; waiting.length > 0; attempt++) {
        const { timeoutMs, stop } = watchPatience(waiting)
        try {
          waiting = await attemptExchange(waiting, asked, timeoutMs, attempt === MAX_ATTEMPTS)
        } finally {
          stop()
        }
        if (waiting.length > 0) asked = [...new Set(waiting.flatMap((read) => read.tags))]
      }
    } catch (error) {
      for (const read of waiting) {
        fail(read, error)
        settleBid(read, undefined)
      }
    }
  }

  /** @returns those that have to ask once more, of a state that was made whole */
  async function attemptExchange(
    reads: readonly Read[],
    tags: readonly string[],
    timeoutMs: Milliseconds,
    isLast: boolean,
  ): Promise<readonly Read[]> {
    const commands: RedisCommand[] = []
    for (const { key, stamp, bid } of reads) {
      if (key === undefined) continue
      commands.push(commandOf(key, stamp))
      // Behind the read: what it did not find may be there by now, and is not claimed then.
      if (bid !== undefined) commands.push(claimCommand(key, bid))
    }
    const [replies, view] = await options.ask(commands, tags, timeoutMs)
    const found = sortReplies(reads, replies)
    if (view === undefined) {
      if (isLast) throw new DistributedCacheError('CLIENT', 'The tag state does not hold still.')
      await options.recover(timeoutMs)
      return reads.filter(isWaiting)
    }
    // What cannot be mended is judged as it is: nothing with such a tag is served.
    const damaged = new Set(isLast ? [] : view.damaged)
    const affected: Read[] = []
    for (const [index, read] of reads.entries()) {
      const reply = found[index]
      if (damaged.size > 0 && read.tags.some((tag) => damaged.has(tag))) affected.push(read)
      else answer(read, reply, view)
    }
    if (affected.length === 0) return affected
    await options.mend(view.damaged, timeoutMs)
    return affected.filter(isWaiting)
  }

  function commandOf(key: string, stamp: Buffer | undefined): RedisCommand {
    return stamp === undefined
      ? { key, args: ['GETRANGE', key, '0', end] }
      : { key, args: ['EVALSHA', readEntryScript.sha1, '1', key, stamp, end] }
  }

  function answer(read: Read, reply: RedisReply | undefined, view: TagView): void {
    if (read.settled) return
    const { key, stamp, tags, patience } = read
    if (reply instanceof Error && reply.message.startsWith('NOSCRIPT') && key !== undefined && stamp) {
      options.readByScript(key, stamp, tags, patience).then(read.resolve, read.reject)
      return
    }
    try {
      const bytes = reply === 1 ? 'unchanged' : reply === null ? null : entryBytes(reply)
      read.settled = true
      read.resolve({ bytes, view })
    } catch (error) {
      fail(read, error)
    }
  }

  /** The exchange takes as long as the most patient may wait; the others leave before. */
  function watchPatience(reads: readonly Read[]): { timeoutMs: Milliseconds; stop: () => void } {
    let timeoutMs = 0
    let leastMs = Infinity
    const limits = reads.map(({ patience }) => {
      const limitMs = patience === undefined ? commandMs : Math.min(commandMs, patience.leftMs)
      timeoutMs = Math.max(timeoutMs, limitMs)
      leastMs = Math.min(leastMs, limitMs)
      return limitMs
    })
    let stop = (): void => {}
    const arm = (sinceMs: Milliseconds, dueMs: Milliseconds): void => {
      if (dueMs >= timeoutMs) return
      const leave = (): void => {
        let nextMs = Infinity
        for (const [index, read] of reads.entries()) {
          const limitMs = limits[index] as Milliseconds
          if (limitMs > dueMs) nextMs = Math.min(nextMs, limitMs)
          else fail(read, timeoutError(limitMs))
        }
        arm(dueMs, nextMs)
      }
      stop = startFairTimeout(dueMs - sinceMs, leave, true)
    }
    arm(0, leastMs)
    return { timeoutMs, stop: () => stop() }
  }

  return {
    read: (key, tags, stamp, patience, bid) =>
      new Promise((resolve, reject) => {
        join({ key, stamp, tags, patience, bid, resolve, reject, settled: false })
      }),
    readTags: (tags, patience) =>
      new Promise((resolve, reject) => {
        const withView = ({ view }: StoredBytes): void => resolve(view)
        const nothing = { key: undefined, stamp: undefined, bid: undefined }
        join({ ...nothing, tags, patience, resolve: withView, reject, settled: false })
      }),
  }
}

function claimCommand(key: string, { token, ttlMs }: Bid): RedisCommand {
  const { keys, args } = claimOf(key, token, ttlMs, undefined)
  return { key, args: ['EVALSHA', claimLeaseScript.sha1, '2', ...keys, ...args] }
}

/** The reply to each read; what was claimed with it is settled, whatever becomes of the read. */
function sortReplies(reads: readonly Read[], replies: readonly RedisReply[]): (RedisReply | undefined)[] {
  let at = 0
  return reads.map((read) => {
    if (read.key === undefined) return null
    const reply = replies[at++]
    if (read.bid !== undefined) settleBid(read, replies[at++])
    return reply
  })
}

/** A claim that was refused, because the server does not know the script, was never made. */
function settleBid(read: Read, reply: RedisReply | undefined): void {
  const { bid } = read
  read.bid = undefined
  if (bid === undefined || reply instanceof Error) return
  bid.settle(reply === undefined ? undefined : parseLease(reply, bid.token, bid.ttlMs))
}

function isWaiting({ settled }: Read): boolean {
  return !settled
}

function fail(read: Read, error: unknown): void {
  if (read.settled) return
  read.settled = true
  read.reject(error)
}
