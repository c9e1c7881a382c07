import type { Entry } from '../../src/entry'
import { messageOf } from '../../src/errors'
import { localNow } from '../../src/server-time'
import type { BuildTier, LoadPrerendered } from './build-tier'
import type { CacheParts } from './cache-parts'
import { type CacheReadOptions, isCodeAlone, wantsGeneration } from './cache-read'
import type { InsteadOfNone } from './entry-reader'
import { type JudgedRead, NO_ANSWER } from './judge'
import type { RequestBudget } from './request-budget'

/** Where a read finds an entry: memory and store, below them the build output, and what is left while Redis is away. */
export class Tiers {
  constructor(private readonly parts: Pick<CacheParts, 'reader' | 'journal' | 'build' | 'emit'>) {}

  /** @throws what the store rejects with */
  read(key: string, options: CacheReadOptions, budget: RequestBudget): Promise<JudgedRead> {
    // All that this process promised to invalidate is everything: the store has nothing to say.
    if (this.parts.journal.overflow > 0) return Promise.resolve(NO_ANSWER)
    return this.readTiers(key, options, budget).catch((why: unknown) =>
      this.readWithoutStore(key, options, why),
    )
  }

  /** @throws why the store cannot be asked, where nothing else may answer */
  private async readWithoutStore(key: string, options: CacheReadOptions, why: unknown): Promise<JudgedRead> {
    const { journal, reader } = this.parts
    // Not asked in advance: everything may have been invalidated while the store did not answer.
    if (journal.overflow > 0) throw why
    const read = reader.readWithinGrace(key, options) ?? (await this.readCodeAlone(key, options))
    if (read === undefined) throw why
    return read
  }

  /**
   * What no invalidation can have changed, such as the shell of a partially prerendered page. Everything else in
   * memory and in the build output may be older than an invalidation that another replica acknowledged meanwhile.
   */
  private async readCodeAlone(
    key: string,
    { showsItsData, prerendered }: CacheReadOptions,
  ): Promise<JudgedRead | undefined> {
    if (!showsItsData) return undefined
    const { build, journal, reader } = this.parts
    const held = reader.readUnproven(key)
    const entry = held ?? (prerendered && (await build?.find(key, prerendered)))
    if (entry === undefined || !isCodeAlone(entry) || journal.judge(entry.tags) !== 'fresh') return undefined
    const tier = held === undefined ? 'build' : 'local'
    return { ...NO_ANSWER, entry, verdict: 'fresh', age: 'fresh', tier }
  }

  private readTiers(key: string, options: CacheReadOptions, budget: RequestBudget): Promise<JudgedRead> {
    const { reader, build } = this.parts
    const { prerendered } = options
    return build === undefined || prerendered === undefined
      ? reader.read(key, options, budget)
      : this.readAboveBuild(build, key, options, prerendered, budget)
  }

  private async readAboveBuild(
    build: BuildTier,
    key: string,
    options: CacheReadOptions,
    prerendered: LoadPrerendered,
    budget: RequestBudget,
  ): Promise<JudgedRead> {
    const insteadOfNone: InsteadOfNone = (clock) => build.find(key, prerendered, clock)
    const read = await this.parts.reader.read(key, options, budget, insteadOfNone)
    build.learn(key, read)
    if (read.tier === 'build' && read.entry !== undefined && !wantsGeneration(read))
      void this.storePrerendered(build, key, read.entry)
    return read
  }

  /** Nobody waits for it. */
  private async storePrerendered(build: BuildTier, key: string, entry: Entry): Promise<void> {
    const startedAt = localNow()
    try {
      const stored = await build.store(key, entry)
      if (stored) this.parts.emit('write', { scope: 'response', key, ...stored, ms: localNow() - startedAt })
    } catch (error) {
      this.parts.emit('unavailable', { what: 'A write', message: messageOf(error) })
    }
  }
}
