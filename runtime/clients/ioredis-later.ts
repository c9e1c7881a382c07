import { createClientOver } from './create-client'
import { loadLater } from './load-later'

// Whether it is installed is found out now, while whoever decides can still decide otherwise.
require.resolve('ioredis')

export const createClient = createClientOver(
  loadLater(() => (require('./ioredis') as typeof import('./ioredis')).openLink),
)
