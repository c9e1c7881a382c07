import { type Keyring, parseKeyring } from './encryption'
import { DistributedCacheError } from './errors'
import type { Preset } from './options'
import { parseRedisPlace, type Topology } from './redis-topology'
import { redactUrl, splitUrls } from './redis-url'

/** The variables of the process, as `process.env` has them. */
export type Variables = Readonly<Record<string, string | undefined>>

/** What the environment says, read when the server process loads the router. */
export interface Environment {
  /** `DISTRIBUTED_CACHE`; undefined: on in production when there is a URL, off in development. */
  readonly enabled: 'on' | 'off' | undefined
  readonly url: string | undefined
  readonly topology: Topology
  readonly preset: Preset | undefined
  readonly namespace: string | undefined
  /** `DISTRIBUTED_CACHE_ENCRYPTION_KEYS`; undefined: entries are stored as they are. */
  readonly encryption: Keyring | undefined
  /** One line per cache operation. */
  readonly debug: boolean
}

/** An empty variable counts as unset: that is what a compose file or a chart makes of a missing value. */
function read(variables: Variables, name: string): string | undefined {
  const value = variables[name]?.trim()
  return value === '' ? undefined : value
}

function choice<Allowed extends string>(
  variables: Variables,
  name: string,
  allowed: readonly Allowed[],
): Allowed | undefined {
  const value = read(variables, name)
  if (value === undefined) return undefined
  const found = allowed.find((candidate) => candidate === value.toLowerCase())
  if (found === undefined)
    throw new DistributedCacheError(
      'INVALID_ENVIRONMENT',
      `${name} is ${JSON.stringify(value.slice(0, 40))}. Set it to ${allowed.join(' or ')}, or unset it.`,
    )
  return found
}

function flag(variables: Variables, name: string): boolean {
  const value = read(variables, name)
  return value !== undefined && !['0', 'false', 'off', 'no'].includes(value.toLowerCase())
}

/** Throws INVALID_ENVIRONMENT, saying which variable and how to fix it; a URL is never repeated with its secrets. */
export function readEnvironment(variables: Variables): Environment {
  const topology =
    choice(variables, 'DISTRIBUTED_CACHE_TOPOLOGY', ['single', 'cluster', 'sentinel']) ?? 'single'
  const urlVariable = ['DISTRIBUTED_CACHE_URL', 'REDIS_URL'].find(
    (name) => read(variables, name) !== undefined,
  )
  const url = urlVariable && read(variables, urlVariable)
  if (url !== undefined) parseRedisPlace(url, topology, urlVariable)
  const keys = read(variables, 'DISTRIBUTED_CACHE_ENCRYPTION_KEYS')
  return {
    enabled: choice(variables, 'DISTRIBUTED_CACHE', ['on', 'off']),
    url,
    topology,
    preset: choice(variables, 'DISTRIBUTED_CACHE_PRESET', ['strict', 'l1-pubsub']),
    namespace: read(variables, 'DISTRIBUTED_CACHE_NAMESPACE'),
    encryption: keys === undefined ? undefined : parseKeyring(keys),
    debug: flag(variables, 'DISTRIBUTED_CACHE_DEBUG') || flag(variables, 'NEXT_PRIVATE_DEBUG_CACHE'),
  }
}

/** Takes the URL and its passwords out of a message that came from elsewhere. */
export function withoutSecrets(message: string, url: string | undefined): string {
  if (url === undefined) return message
  let safe = message.replaceAll(url, redactUrl(url))
  for (const node of splitUrls(url)) {
    const secrets = [/:\/\/[^:@/]*:(.+)@/.exec(node)?.[1], /[?&]sentinelpassword=([^&]+)/.exec(node)?.[1]]
    for (const secret of secrets) {
      if (secret !== undefined) safe = safe.replaceAll(secret, '***').replaceAll(decoded(secret), '***')
    }
  }
  return safe
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/**
 * A deployment id or build id, fit for a log line: everything outside letters, digits, `.`, `_` and `-` becomes `%` and
 * the hexadecimal UTF-16 code unit, so that different ids never meet. In the names of keys `safeNamespace` hashes what
 * has a `%`.
 */
export function encodeNamespace(namespace: string): string {
  return namespace.replace(/[^\w.-]/g, (unit) => `%${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
