import type { EntryFormat } from '../../src/entry'
import type { KeyNames } from '../../src/key-names'
import type { ResolvedOptions } from '../../src/options'
import type { Store } from '../../src/store'
import type { Logger } from '../logger'
import type { Emit } from '../telemetry'
import type { BuildTier } from './build-tier'
import type { EntryReader } from './entry-reader'
import type { Ingredients } from './ingredients'
import type { Invalidator } from './invalidator'
import type { Journal } from './journal'
import type { LocalEntries } from './local-entries'
import type { RequestBudgets } from './request-budget'
import type { SingleFlight } from './single-flight'

/** What a cache is put together from. */
export interface CacheParts {
  readonly store: Store
  readonly reader: EntryReader
  readonly local: LocalEntries
  readonly names: KeyNames
  readonly format: EntryFormat
  readonly options: Pick<ResolvedOptions, 'maxTtlSeconds'>
  readonly invalidator: Invalidator
  readonly journal: Journal
  /** Undefined: every reader of a cold or stale entry generates. */
  readonly flight: SingleFlight | undefined
  /** Undefined: the build left nothing that could be judged. */
  readonly build?: BuildTier | undefined
  /** What the reads of a request may wait for the store. */
  readonly budgets: RequestBudgets
  /** What generations of this process may be made of. */
  readonly ingredients: Ingredients
  readonly emit: Emit
  readonly log: Logger
}
