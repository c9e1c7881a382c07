import type { DistributedCacheOptions, Driver, ResolvedOptions } from './options'

const MIB = 1024 * 1024

/** What the options alone cannot tell: found out from the project. */
export interface ProjectDefaults {
  readonly driver: Driver
  readonly keyPrefix: string
  /** True when the configuration already sends images to its cache handler. */
  readonly images: boolean
}

/** Applies every default. The options have been validated. */
export function resolveOptions(options: DistributedCacheOptions, project: ProjectDefaults): ResolvedOptions {
  const { singleFlight, l1, timeouts, compression } = options
  const l1MaxBytes = l1?.maxBytes ?? 64 * MIB
  return {
    preset: options.preset ?? 'strict',
    driver: options.driver ?? project.driver,
    useCache: options.useCache ?? 'all',
    images: options.images ?? project.images,
    namespace: options.namespace,
    keyPrefix: options.keyPrefix ?? project.keyPrefix,
    singleFlight:
      singleFlight === false
        ? false
        : { leaseMs: singleFlight?.leaseMs ?? 1500, waitMs: singleFlight?.waitMs ?? 5_000 },
    l1: { maxBytes: l1MaxBytes, maxEntryBytes: l1?.maxEntryBytes ?? Math.min(4 * MIB, l1MaxBytes) },
    timeouts: {
      connectMs: timeouts?.connectMs ?? 2000,
      commandMs: timeouts?.commandMs ?? 500,
      requestBudgetMs: timeouts?.requestBudgetMs ?? 1000,
    },
    invalidations: {
      onFailure: options.invalidations?.onFailure ?? 'journal',
      replicas: options.invalidations?.replicas ?? 0,
    },
    compression:
      typeof compression === 'string' || compression === undefined
        ? { codec: compression ?? 'none', thresholdBytes: 4096 }
        : { codec: compression.codec, thresholdBytes: compression.thresholdBytes ?? 4096 },
    maxEntryBytes: options.maxEntryBytes ?? 16 * MIB,
    maxTtlSeconds: options.maxTtlSeconds ?? 30 * 24 * 60 * 60,
  }
}
