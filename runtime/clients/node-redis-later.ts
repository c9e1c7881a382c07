import { createClientOver } from './create-client'
import { loadLater } from './load-later'

// Whether it is installed is found out now, while whoever decides can still decide otherwise.
require.resolve('redis')

export const createClient = createClientOver(
  loadLater(() => (require('./node-redis') as typeof import('./node-redis')).openLink),
)
