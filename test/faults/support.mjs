// What the integration tests have already, in TypeScript: this runs without a test runner, too.
import { createJiti } from 'jiti'

const jiti = createJiti(import.meta.url)

export const { startCluster, until } = await jiti.import('../support/redis-cluster.ts')
export const { startSentinels, MASTER } = await jiti.import('../support/redis-sentinel.ts')
export const { hashSlot } = await jiti.import('../../src/hash-slot.ts')
