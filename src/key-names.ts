import crypto from 'node:crypto'

/** Entries of different kinds never share a key, so that a hash collision cannot hand Next the wrong kind. */
export type EntryScope = 'response' | 'fetch' | 'image' | 'use-cache'

const SCOPE_LETTER: Record<EntryScope, string> = { response: 'r', fetch: 'f', image: 'i', 'use-cache': 'u' }

/** Names of every Redis key and channel of one deployment of one application. */
export interface KeyNames {
  /** HASH: the tag state of the application, shared by its deployments. */
  readonly tags: string
  /** One entry of this deployment. Braces keep what belongs to one entry in one Cluster slot. */
  entry(scope: EntryScope, cacheKey: string): string
  /** Channel: invalidations, overwrites and heartbeats of the application. */
  readonly bus: string
}

/** The lease of whoever generates the entry; in the same Cluster slot. */
export function leaseName(entryName: string): string {
  return `${entryName}:lease`
}

/** Where a record lies until it takes the place of the entry; in the same Cluster slot. */
export function arrivalName(entryName: string, publisher: string, count: number): string {
  return `${entryName}:${publisher}:${count}`
}

export function createKeyNames(keyPrefix: string, namespace: string): KeyNames {
  const deployment = `${keyPrefix}:${safeNamespace(namespace)}`
  return {
    tags: `${keyPrefix}:tags`,
    bus: `${keyPrefix}:bus`,
    entry: (scope, cacheKey) => `${deployment}:${SCOPE_LETTER[scope]}:{${hashCacheKey(cacheKey)}}`,
  }
}

/**
 * Raw cache keys can hold user data and never become part of a key name. Hashed are the UTF-16 code units,
 * not UTF-8: `use cache` keys can hold lone surrogates, which UTF-8 would all turn into the same character.
 */
export function hashCacheKey(cacheKey: string): string {
  return sha256(Buffer.from(cacheKey, 'utf16le'), 'base64url')
}

/** Namespaces come from build ids and deployment ids; what could upset a key pattern is hashed. */
export function safeNamespace(namespace: string): string {
  if (/^[A-Za-z0-9._-]{1,128}$/.test(namespace)) return namespace
  return `h-${sha256(Buffer.from(namespace, 'utf16le'), 'hex').slice(0, 32)}`
}

/** In one call where Node has it (20.12 and later): a `Hash` is a stream, and outlives every minor collection. */
const sha256: (bytes: Uint8Array, encoding: 'base64url' | 'hex') => string =
  typeof crypto.hash === 'function'
    ? (bytes, encoding) => crypto.hash('sha256', bytes, encoding)
    : (bytes, encoding) => crypto.createHash('sha256').update(bytes).digest(encoding)
