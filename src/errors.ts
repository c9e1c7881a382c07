/** What went wrong, for programs: stable across releases, unlike the message. */
export type DistributedCacheErrorCode =
  | 'INVALID_OPTION'
  | 'INVALID_ENVIRONMENT'
  | 'INVALID_CONFIG'
  | 'MISSING_DRIVER'
  | 'UNSUPPORTED_DRIVER'
  | 'UNSUPPORTED_NEXT'
  | 'OUTSIDE_PROJECT_ROOT'
  | 'INVALID_FALLBACK'
  | 'TEMPLATE'
  | 'ROUTER'
  | 'CLIENT'
  | 'TIMEOUT'
  | 'SCRIPT'
  | 'INVALIDATION'
  | 'CLOSED'

export const ERROR_PREFIX = '[next-distributed-cache]'

/**
 * The only error class of this package. The message reads
 * `[next-distributed-cache] what happened, where. How to fix it.`
 */
export class DistributedCacheError extends Error {
  readonly code: DistributedCacheErrorCode

  constructor(code: DistributedCacheErrorCode, message: string, options?: { cause?: unknown }) {
    super(`${ERROR_PREFIX} ${message}`, options)
    this.name = 'DistributedCacheError'
    this.code = code
  }
}

/** The message of anything that was thrown, for log lines. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
