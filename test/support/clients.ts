import { createClientOver } from '../../runtime/clients/create-client'
import { openLink as openIoredis } from '../../runtime/clients/ioredis'
import { loadLater } from '../../runtime/clients/load-later'
import { openLink as openNodeRedis } from '../../runtime/clients/node-redis'

// As `ioredis-later` and `node-redis-later`, whose literal requires only compiled code can follow.
export const createIoredis = createClientOver(loadLater(() => openIoredis))
export const createNodeRedis = createClientOver(loadLater(() => openNodeRedis))
