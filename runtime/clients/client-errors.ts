import { DistributedCacheError, ERROR_PREFIX } from '../../src/errors'

/** @param what a sentence without its full stop */
export function clientError(what: string, cause?: unknown): DistributedCacheError {
  return new DistributedCacheError('CLIENT', `${what}.`, cause === undefined ? undefined : { cause })
}

export function closedError(): DistributedCacheError {
  return new DistributedCacheError('CLOSED', 'The Redis client was closed.')
}

/** Why a connection failed, in a few words. An AggregateError (several addresses tried) has no message. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.message !== '') return error.message
  const { code } = error as NodeJS.ErrnoException
  return code ?? error.name
}

/** A message of our own as part of another sentence. */
export function withoutPrefix(message: string): string {
  const text = message.startsWith(ERROR_PREFIX) ? message.slice(ERROR_PREFIX.length).trimStart() : message
  return text.replace(/\.$/, '')
}
