import { keyPayload } from '../../src/bus-message'
import { arrivalName, leaseName } from '../../src/key-names'
import { type Pieces, startOf } from '../../src/pieces'
import { HEAD_BYTES } from '../../src/record'
import type { WriteDetails, WriteOutcome } from '../../src/store'
import type { Milliseconds } from '../../src/units'
import type { CommandArgument, RedisClient } from '../clients/client'
import { runScript, type Script } from './script'
import { addEntryScript } from './scripts/add-entry'
import { writeEntryScript } from './scripts/write-entry'

/** A record that no script took over, because the connection was lost between the two, is gone after this. */
const ARRIVAL_MS = '60000'

export interface RecordWriterOptions {
  readonly client: RedisClient
  /** Names this process. */
  readonly publisher: string
  /** Channel of the bus. */
  readonly bus: string
}

/**
 * Writes records in one round trip: first under a name of its own, then a script decides whether it takes the place
 * of the entry. Given to the script, the record would cost the server several times as much: Lua hashes every byte.
 */
export class RecordWriter {
  private arrivals = 0

  /** @param next gives a message about a key its number */
  constructor(
    private readonly options: RecordWriterOptions,
    private readonly next: (key: string) => Parameters<typeof keyPayload>[0],
  ) {}

  write(
    key: string,
    record: Buffer | Pieces,
    ttlMs: Milliseconds,
    { token = '', damaged }: WriteDetails,
  ): Promise<WriteOutcome> {
    const head = startOf(record).subarray(0, HEAD_BYTES)
    const args = [head, String(ttlMs), token, ...this.message(key), damaged ?? '']
    return this.place(writeEntryScript, key, record, [key, leaseName(key)], args)
  }

  add(key: string, record: Buffer, ttlMs: Milliseconds): Promise<WriteOutcome> {
    return this.place(addEntryScript, key, record, [key], [String(ttlMs), ...this.message(key)])
  }

  private message(key: string): string[] {
    return [this.options.bus, keyPayload(this.next(key), key)]
  }

  private async place(
    script: Script,
    key: string,
    record: Buffer | Pieces,
    keys: readonly string[],
    args: readonly CommandArgument[],
  ): Promise<WriteOutcome> {
    const { client, publisher } = this.options
    const arrival = arrivalName(key, publisher, this.arrivals++)
    const before = [{ key, args: ['SET', arrival, record, 'PX', ARRIVAL_MS] as const }]
    const reply = await runScript(client, script, [...keys, arrival], args, { before })
    return reply === 1 ? 'stored' : 'superseded'
  }
}
