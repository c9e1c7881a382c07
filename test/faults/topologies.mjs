import { FAULTS } from './catalogue.mjs'
import { CLUSTER_FAULTS } from './cluster-faults.mjs'
import { openCluster, openSentinel, openSingle } from './redis-places.mjs'
import { SENTINEL_FAULTS } from './sentinel-faults.mjs'

/** By the values of DISTRIBUTED_CACHE_TOPOLOGY: how to start such a Redis, and what goes wrong with it. */
export const TOPOLOGIES = {
  single: { open: openSingle, faults: FAULTS },
  cluster: { open: openCluster, faults: CLUSTER_FAULTS },
  sentinel: { open: openSentinel, faults: SENTINEL_FAULTS },
}
