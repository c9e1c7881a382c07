import { randomUUID } from 'node:crypto'
import { heartbeatPayload, invalidatePayload } from '../../src/bus-message'
import type { ClockHistory } from '../../src/clock-history'
import { DistributedCacheError } from '../../src/errors'
import type { KeyNames } from '../../src/key-names'
import type { Origin } from '../../src/lanes'
import { localNow, type ServerTime } from '../../src/server-time'
import { formatTagRecord, type TagChange } from '../../src/tag-state'
import { type Clock, type Milliseconds, parseMicros } from '../../src/units'
import type { RedisClient } from '../clients/client'
import type { Acknowledged } from './acknowledged'
import { tagField, text } from './replies'
import { runScript, type Script } from './script'
import { attendScript } from './scripts/attend'
import { collectScript } from './scripts/collect'
import { invalidateScript } from './scripts/invalidate'
import { restoreInvalidationsScript } from './scripts/restore-invalidations'

/** Records in one call of a script, so that it ends within about a millisecond. */
const RESTORED_PER_CALL = 500
const COLLECTED_PER_CALL = 50
/** Calls that follow a heartbeat which found something to forget. */
const MAX_COLLECT_CALLS = 40

export interface TagWriterOptions {
  readonly client: RedisClient
  readonly names: Pick<KeyNames, 'tags' | 'bus'>
  /** Life of the tag state. */
  readonly stateTtlMs: Milliseconds
  /** For how long an entry of this process may need the record of a tag. */
  readonly keepTagsMs: Milliseconds
  readonly onDamage: (records: number) => void
  readonly onRestore: (records: number) => void
}

export interface TagWriterState {
  readonly history: ClockHistory
  readonly serverTime: ServerTime
  readonly acknowledged: Acknowledged
  /** The last number that this process gave to a message about the tag state; `next` gives another one. */
  readonly origin: { last(): Origin; next(): Origin }
}

export interface Attendance {
  readonly floor: Clock
  /** Whether there is more to forget. */
  readonly foundOld: boolean
}

/** Everything that writes to the tag state. */
export class TagWriter {
  private collecting = false

  constructor(
    private readonly options: TagWriterOptions,
    private readonly state: TagWriterState,
  ) {}

  /** @param distrustAfterMs how long nobody may have attended before the floor is raised; undefined: for ever */
  async attend(seen: Clock, distrustAfterMs: Milliseconds | undefined): Promise<Attendance> {
    const { names, stateTtlMs, keepTagsMs } = this.options
    const sentAt = localNow()
    const [clock, floor, , time, looked = 0, forgotten = 0, damaged] = await this.numbers(attendScript, 7, [
      String(seen),
      randomUUID(),
      String(stateTtlMs),
      distrustAfterMs === undefined ? '' : 'boot',
      String((distrustAfterMs ?? 0) * 1000),
      names.bus,
      heartbeatPayload(this.state.origin.last(), sentAt),
      String(keepTagsMs * 1000),
    ])
    if (clock === undefined || floor === undefined || time === undefined) throw brokenContract(attendScript)
    this.observed(clock, sentAt, time)
    this.damaged(damaged)
    return { floor, foundOld: isWorthwhile(looked, forgotten) }
  }

  async invalidate(changes: readonly TagChange[]): Promise<void> {
    const { names, stateTtlMs } = this.options
    const sentAt = localNow()
    const payload = invalidatePayload(this.state.origin.next(), changes)
    const seen = String(this.state.history.latest)
    const args = [seen, randomUUID(), String(stateTtlMs), names.bus, payload]
    for (const { tag, windowMicros } of changes)
      args.push(tagField(tag), windowMicros === undefined ? '' : String(Math.round(windowMicros)))
    const [clock, time, damaged] = await this.numbers(invalidateScript, 3, args)
    if (clock === undefined || time === undefined) throw brokenContract(invalidateScript)
    this.observed(clock, sentAt, time)
    this.state.acknowledged.remember(clock, time, changes)
    this.damaged(damaged)
  }

  /** Tells a new connection's server what the one before had acknowledged; in one round trip, or none. */
  async restore(): Promise<void> {
    const recent = this.state.acknowledged.recent()
    if (recent === undefined) return
    const head = [this.options.names.bus, String(recent.floor), String(recent.forgotten)]
    const calls: string[][] = []
    for (let from = 0; from === 0 || from < recent.records.length; from += RESTORED_PER_CALL) {
      const some = recent.records.slice(from, from + RESTORED_PER_CALL)
      calls.push([...head, ...some.flatMap(([tag, record]) => [tagField(tag), formatTagRecord(record)])])
    }
    const replies = await Promise.all(calls.map((args) => this.numbers(restoreInvalidationsScript, 3, args)))
    let restored = 0
    for (const [clock = 0, raised = 0, damaged] of replies) {
      if (clock > 0) this.state.history.observe(localNow(), clock)
      this.damaged(damaged)
      restored += raised
    }
    if (restored > 0) this.options.onRestore(restored)
  }

  /** Forgets what is too old while that is a good part of what chance finds; a few calls, one after the other. */
  async collect(): Promise<void> {
    if (this.collecting) return
    this.collecting = true
    try {
      for (let call = 0; call < MAX_COLLECT_CALLS; call++) {
        const args = [String(COLLECTED_PER_CALL)]
        const [looked = 0, forgotten = 0, damaged] = await this.numbers(collectScript, 3, args)
        this.damaged(damaged)
        if (!isWorthwhile(looked, forgotten)) return
      }
    } finally {
      this.collecting = false
    }
  }

  /** The numbers that a script answers with, in text; undefined for what is none. */
  private async numbers(script: Script, count: number, args: string[]): Promise<(number | undefined)[]> {
    const reply = await runScript(this.options.client, script, [this.options.names.tags], args)
    if (!Array.isArray(reply) || reply.length !== count) throw brokenContract(script)
    return reply.map((part) => parseMicros(text(part)))
  }

  /** What a script of ours says, which has checked the clock before it told it. */
  private observed(clock: Clock, sentAt: number, time: number): void {
    const now = localNow()
    this.state.serverTime.sample(sentAt, now, time)
    this.state.history.observe(now, clock)
  }

  private damaged(records: number | undefined): void {
    if (records !== undefined && records > 0) this.options.onDamage(records)
  }
}

/** As in Redis's own expiry: below a tenth, the rest can wait for chance. */
function isWorthwhile(looked: number, forgotten: number): boolean {
  return forgotten > 0 && forgotten * 10 >= looked
}

function brokenContract(script: Script): DistributedCacheError {
  return new DistributedCacheError(
    'SCRIPT',
    `The script ${script.name} answered something else than its contract.`,
  )
}
