import type { CreateClient } from '../clients/client'
import type { EntryModules } from './contract'

/** Literal requires, so that bundlers trace the runtime and this driver, and only this one, into standalone. */
export const modules: EntryModules = {
  driver: 'redis',
  loadRuntime: () => require('../index') as typeof import('../index'),
  loadClient: () => require('../clients/node-redis') as { createClient: CreateClient },
}
