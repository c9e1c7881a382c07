import type { Entry } from '../../src/entry'
import type { Bytes } from '../../src/units'
import { dropOldest } from '../drop-oldest'
import { ByteLru } from '../memory/byte-lru'

/** What a handler made of the body of an entry, so that the next reader need not decode it again. */
export interface Content {
  /** Shares no memory with the body, and is handed to nobody who changes it. */
  readonly value: object
  /** What it keeps alive. */
  readonly bytes: Bytes
}

/** An entry as memory holds it: with content the body is empty, since nobody needs both. */
export interface HeldEntry extends Entry {
  readonly content?: Content
}

interface Held {
  entry: HeldEntry
  /** The epoch in which the body was last proven to be the stored one; -1: it is not. */
  epoch: number
}

/** What a read must know to prove what it found: see `begin`. */
export interface Proof {
  readonly epoch: number
  overwritten: boolean
  /** Other reads and writes of the same key. */
  newer: Proof | undefined
  older: Proof | undefined
}

/** Rough size of what an entry keeps alive besides its body and tags: detail, objects. */
const ENTRY_OVERHEAD_BYTES: Bytes = 1024
/** Rough size of a tag besides its characters, which are held twice: as text, and in the record below the body. */
const TAG_OVERHEAD_BYTES: Bytes = 32
const NO_BODY = Buffer.alloc(0)
/** Keys of which it is remembered that a write of this process was not answered. */
const MAX_UNANSWERED_KEYS = 1_000

/**
 * Entries that this process holds. In both presets they save the transfer of what Redis says is unchanged;
 * with a proven bus they are served as they are. An epoch ends with every gap of the bus: entries stay, and
 * each needs one conditional read before it is proven again.
 */
export class LocalEntries {
  private readonly lru: ByteLru<Held>
  /** The newest of what is under way for a key; a Set for each key, of one as a rule, would cost more. */
  private readonly reading = new Map<string, Proof>()
  /** Keys that a write of this process may reach late, when something else was proven meanwhile. */
  private readonly unanswered = new Set<string>()
  private epoch = 0

  constructor(limits: { maxBytes: Bytes; maxEntryBytes: Bytes }) {
    this.lru = new ByteLru(limits.maxBytes, limits.maxEntryBytes)
  }

  get bytes(): Bytes {
    return this.lru.bytes
  }

  /** Nothing is ever held. */
  get isOff(): boolean {
    return this.lru.maxBytes === 0
  }

  get(key: string): HeldEntry | undefined {
    return this.lru.get(key)?.entry
  }

  /** The entry, if it is proven to be the one in the store. */
  getProven(key: string): HeldEntry | undefined {
    const held = this.lru.get(key)
    return held?.epoch === this.epoch ? held.entry : undefined
  }

  /** Starts a read or write of a key: an overwrite that is announced before it ends voids what it proves. */
  begin(key: string): Proof {
    const older = this.reading.get(key)
    const proof: Proof = { epoch: this.epoch, overwritten: false, newer: undefined, older }
    if (older !== undefined) older.newer = proof
    this.reading.set(key, proof)
    return proof
  }

  end(key: string, proof: Proof): void {
    const { newer, older } = proof
    if (older !== undefined) older.newer = newer
    if (newer !== undefined) newer.older = older
    else if (older !== undefined) this.reading.set(key, older)
    else this.reading.delete(key)
  }

  /** Keeps what a read found. */
  keep(key: string, entry: HeldEntry, proof: Proof): void {
    const epoch = proof.overwritten ? -1 : proof.epoch
    const held = this.lru.get(key)
    // What is proven is not given up for what is not.
    if (proof.overwritten && held?.epoch === this.epoch) return
    // Of the same record, what is held may have content by now.
    if (held !== undefined && isSameRecord(held.entry, entry)) held.epoch = epoch
    else this.lru.set(key, { entry, epoch }, bytesOf(entry))
  }

  /** Keeps what a write stored. Whoever began to read before that was known may have found what was there before. */
  stored(key: string, entry: HeldEntry, proof: Proof): void {
    for (let other = this.reading.get(key); other !== undefined; other = other.older)
      if (other !== proof) other.overwritten = true
    // Something else was stored meanwhile, and is perhaps held: which of the two came last only a read can tell.
    if (proof.overwritten) this.overwritten(key)
    this.keep(key, entry, proof)
  }

  /** A write had no answer: it may have been done, or be done later, and then nobody else announces it. */
  notAnswered(key: string): void {
    this.overwritten(key)
    this.unanswered.delete(key)
    this.unanswered.add(key)
    dropOldest(this.unanswered, MAX_UNANSWERED_KEYS)
  }

  /** The bus says that an entry was written. What this process wrote it knows by the reply, if there was one. */
  announced(key: string, byThisProcess: boolean): void {
    if (!byThisProcess || this.unanswered.has(key)) this.overwritten(key)
  }

  /** Keeps content in place of the body of an entry, if it is still held and the content is not too large. */
  keepContent(key: string, entry: HeldEntry, bytes: Bytes, take: () => object): void {
    const held = this.lru.get(key)
    if (held?.entry !== entry || entry.content !== undefined) return
    if (!this.lru.resize(key, contentBytes(entry, bytes))) return
    // The head is a view into the record, all of which it would keep alive.
    const stamp = Buffer.allocUnsafeSlow(entry.stamp.length)
    entry.stamp.copy(stamp)
    held.entry = { ...entry, body: NO_BODY, stamp, content: { value: take(), bytes } }
  }

  drop(key: string): void {
    this.lru.delete(key)
  }

  /** The store holds another entry now, perhaps: the body stays, unproven. */
  overwritten(key: string): void {
    for (let proof = this.reading.get(key); proof !== undefined; proof = proof.older) proof.overwritten = true
    const held = this.lru.get(key)
    if (held !== undefined) held.epoch = -1
  }

  endEpoch(): void {
    this.epoch++
  }
}

function isSameRecord(a: Entry, b: Entry): boolean {
  return a === b || a.stamp.equals(b.stamp)
}

function bytesOf(entry: HeldEntry): Bytes {
  return contentBytes(entry, entry.content?.bytes ?? entry.bodyBytes)
}

function contentBytes({ stamp, tags }: Entry, bytes: Bytes): Bytes {
  let total = bytes + stamp.length + ENTRY_OVERHEAD_BYTES
  for (const tag of tags) total += TAG_OVERHEAD_BYTES + 2 * tag.length
  return total
}
