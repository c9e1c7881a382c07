export { createClient as createIoredis } from '../../runtime/clients/ioredis'
export { createClient as createNodeRedis } from '../../runtime/clients/node-redis'
