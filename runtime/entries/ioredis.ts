import type { CreateClient } from '../clients/client'
import type { EntryModules } from './contract'

/** Literal requires, so that bundlers trace the runtime and this driver, and only this one, into standalone. */
export const modules: EntryModules = {
  driver: 'ioredis',
  loadRuntime: () => require('../index') as typeof import('../index'),
  loadClient: () => require('../clients/ioredis') as { createClient: CreateClient },
}
