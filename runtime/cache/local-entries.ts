import type { Entry } from '../../src/entry'
import type { Bytes } from '../../src/units'
import { ByteLru } from '../memory/byte-lru'

interface Held {
  readonly entry: Entry
  /** The epoch in which the body was last proven to be the stored one; -1: it is not. */
  epoch: number
}

/** What a read must know to prove what it found: see `begin`. */
export interface Proof {
  readonly epoch: number
  overwritten: boolean
}

/** Rough size of what an entry keeps alive besides its body: detail, tags, objects. */
const ENTRY_OVERHEAD_BYTES: Bytes = 1024

/**
 * Bodies that this process holds. In both presets they save the transfer of what Redis says is unchanged;
 * with a proven bus they are served as they are. An epoch ends with every gap of the bus: bodies stay, and
 * each needs one conditional read before it is proven again.
 */
export class LocalEntries {
  private readonly lru: ByteLru<Held>
  private readonly reading = new Map<string, Set<Proof>>()
  private epoch = 0

  constructor(limits: { maxBytes: Bytes; maxEntryBytes: Bytes }) {
    this.lru = new ByteLru(limits.maxBytes, limits.maxEntryBytes)
  }

  get bytes(): Bytes {
    return this.lru.bytes
  }

  get(key: string): Entry | undefined {
    return this.lru.get(key)?.entry
  }

  /** The entry, if it is proven to be the one in the store. */
  getProven(key: string): Entry | undefined {
    const held = this.lru.get(key)
    return held?.epoch === this.epoch ? held.entry : undefined
  }

  /** Starts a read or write of a key: an overwrite that is announced before it ends voids what it proves. */
  begin(key: string): Proof {
    const proof: Proof = { epoch: this.epoch, overwritten: false }
    const proofs = this.reading.get(key) ?? new Set()
    proofs.add(proof)
    this.reading.set(key, proofs)
    return proof
  }

  end(key: string, proof: Proof): void {
    const proofs = this.reading.get(key)
    proofs?.delete(proof)
    if (proofs?.size === 0) this.reading.delete(key)
  }

  /** Keeps what a read found, or what a write stored. */
  keep(key: string, entry: Entry, proof: Proof): void {
    const epoch = proof.overwritten ? -1 : proof.epoch
    this.lru.set(key, { entry, epoch }, entry.body.length + entry.stamp.length + ENTRY_OVERHEAD_BYTES)
  }

  drop(key: string): void {
    this.lru.delete(key)
  }

  /** The store holds another entry now, perhaps: the body stays, unproven. */
  overwritten(key: string): void {
    for (const proof of this.reading.get(key) ?? []) proof.overwritten = true
    const held = this.lru.get(key)
    if (held !== undefined) held.epoch = -1
  }

  endEpoch(): void {
    this.epoch++
  }
}
