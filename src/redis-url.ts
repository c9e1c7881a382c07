import { DistributedCacheError } from './errors'

/** A Redis URL taken apart: everything a connection needs, decoded. */
export interface RedisTarget {
  readonly transport: 'tcp' | 'tls' | 'unix'
  /** Host name or address (IPv6 without brackets); empty for a unix socket. */
  readonly host: string
  /** TCP port; 0 for a unix socket. */
  readonly port: number
  /** Path of the unix socket; empty otherwise. */
  readonly path: string
  readonly username: string | undefined
  readonly password: string | undefined
  readonly database: number
  /** Undefined: the defaults of Node.js. */
  readonly tls?: TlsFiles | undefined
}

/** What a TLS connection needs besides the host; files are read when it is dialled, never logged. */
export interface TlsFiles {
  /** Certificates that may sign the server's, instead of those that Node.js trusts. */
  readonly caFile: string | undefined
  /** Certificate of this client, and the key for it. */
  readonly certFile: string | undefined
  readonly keyFile: string | undefined
  /** Name that the server's certificate must carry, where it is not the host of the URL. */
  readonly serverName: string | undefined
}

const EXAMPLES =
  'redis://user:password@host:6379/0, rediss://host:6380, unix:///run/redis.sock?db=0 or /run/redis.sock'

/** The URLs of a list. A comma within one (in a password) is not followed by a scheme. */
export function splitUrls(list: string): string[] {
  return list.split(/\s*,\s*(?=(?:rediss?|valkeys?|unix):\/\/)/i)
}

/** Names an address, or several, without secrets: for log lines and errors. Works on text that is no URL, too. */
export function redactUrl(url: string): string {
  return splitUrls(url).map(redactOne).join(',')
}

function redactOne(url: string): string {
  // With an "@", "me://x@host" may also be a user and a password that begins with slashes.
  const scheme = /^(?:rediss?|valkeys?|unix|[a-z][a-z0-9+.-]*(?=:[^@]*$)):\/\//i.exec(url)?.[0] ?? ''
  const rest = url.slice(scheme.length)
  // The last "@", even behind a "/", "?" or "#": a password that should have been percent-encoded can hold all.
  const at = rest.lastIndexOf('@')
  const [address, query] = splitOnce(rest.slice(at + 1), '?')
  const shownQuery = query === undefined ? '' : '?***'
  if (at === -1) {
    // "user:secret" without a host looks like "host:port"; only digits are surely a port.
    const shown = address.replace(/^(\[[^\]]*\]|[^:/[]*):(?!\d*(?:\/|$)).*$/s, '$1:***')
    return `${scheme}${shown}${shownQuery}`
  }
  const [user, secret] = splitOnce(rest.slice(0, at), ':')
  // Without a scheme, what stands before the "@" may be anything.
  const shownUser = secret === undefined && scheme === '' ? '***' : user
  return `${scheme}${shownUser}${secret === undefined ? '' : ':***'}@${address}${shownQuery}`
}

/** What URLs of a kind may leave out, and may carry. */
export interface UrlRules {
  /** Names of parameters, besides those of TLS. */
  readonly known: readonly string[]
  readonly defaultPort: number
}

export const REDIS_URL_RULES: UrlRules = { known: [], defaultPort: 6379 }

/**
 * Takes a URL apart, into what a connection needs and the parameters that its kind knows, those of TLS included.
 *
 * @param source the variable that the text came from, for the error
 * @throws DistributedCacheError INVALID_ENVIRONMENT, with the password redacted
 */
export function parseRedisUrl(
  { known, defaultPort }: UrlRules,
  url: string,
  source: string,
): { target: RedisTarget; parameters: ReadonlyMap<string, string> } {
  const text = url.trim()
  const fail = (what: string, fix: string): never => {
    throw new DistributedCacheError('INVALID_ENVIRONMENT', `${source} ${what}: "${redactOne(text)}". ${fix}`)
  }
  if (text === '') {
    return fail('is empty', `Set it to one of ${EXAMPLES}, or unset it.`)
  }
  if (text.startsWith('/') || /^unix:/i.test(text))
    return { target: parseUnix(text, fail), parameters: new Map() }
  if (!/^(?:rediss?|valkeys?):\/\//i.test(text)) {
    return fail('is not a Redis URL', `Write it as ${EXAMPLES}.`)
  }
  if (/^\w+:\/\/(?:[^/?#]*@)?[^@/?#]*,[^@]*$/.test(text)) {
    return fail(
      'names several hosts',
      'Write each as a URL of its own, separated by commas: redis://one:6379,redis://two:6379.',
    )
  }
  const parsed = tryParse(text)
  if (parsed === undefined) {
    return fail(
      'cannot be read as a URL',
      `Write it as ${EXAMPLES}; percent-encode special characters of the user and password ("@" is %40, "/" is %2F, "#" is %23).`,
    )
  }
  if ((parsed.pathname + parsed.search + parsed.hash).includes('@')) {
    // What follows may be half of the password, so nothing of it may be quoted below.
    return fail('has an "@" behind its host', 'In a password write "/" as %2F, "?" as %3F and "#" as %23.')
  }
  const host = decode(parsed.hostname.replace(/^\[(.*)\]$/, '$1'))
  if (host === undefined || host === '') return fail('has no host', `Write it as ${EXAMPLES}.`)
  if (parsed.hash !== '') {
    return fail('has a "#" part', 'If the "#" belongs to the password, write it as %23.')
  }
  // A form would mean a space by "+"; a password in base64 or a path means itself.
  const query = new URLSearchParams(parsed.search.replaceAll('+', '%2B'))
  // Common for ioredis users (`?family=0`); both families are tried anyway.
  query.delete('family')
  const parameters = new Map<string, string>()
  const unknown: string[] = []
  for (const [name, value] of query) {
    if (!known.includes(name) && !TLS_PARAMETERS.includes(name)) unknown.push(`"${name}"`)
    else if (value !== '') parameters.set(name, value)
  }
  if (unknown.length > 0) {
    return fail(
      `has parameters that are not supported (${unknown.join(', ')})`,
      `Known are ${[...known, ...TLS_PARAMETERS].join(', ')}. Use rediss:// for TLS and /N for a database.`,
    )
  }
  const transport = /^(?:rediss|valkeys):$/i.test(parsed.protocol) ? 'tls' : 'tcp'
  const [username, password] = credentials(parsed.username, parsed.password, fail)
  const target: RedisTarget = {
    transport,
    host,
    port: parsed.port === '' ? defaultPort : portOf(parsed.port, fail),
    path: '',
    username,
    password,
    database: databaseOf(parsed.pathname.replace(/^\//, ''), fail),
    tls: tlsOf(parameters, transport, fail),
  }
  return { target, parameters }
}

const TLS_PARAMETERS: readonly string[] = ['cafile', 'certfile', 'keyfile', 'servername']

function tlsOf(
  parameters: ReadonlyMap<string, string>,
  transport: RedisTarget['transport'],
  fail: Fail,
): TlsFiles | undefined {
  if (!TLS_PARAMETERS.some((name) => parameters.has(name))) return undefined
  if (transport !== 'tls')
    return fail('has parameters of TLS without TLS', 'Write rediss:// in place of redis://.')
  const [caFile, certFile, keyFile, serverName] = TLS_PARAMETERS.map((name) => parameters.get(name))
  if ((certFile === undefined) !== (keyFile === undefined))
    return fail('has only one of certfile and keyfile', 'A client certificate needs both.')
  if (serverName !== undefined && !/^(?=.*[a-z])[a-z0-9._-]+$/i.test(serverName))
    return fail('has a servername that is no host name', 'Write one of the DNS names of the certificate.')
  return { caFile, certFile, keyFile, serverName }
}

type Fail = (what: string, fix: string) => never

function parseUnix(text: string, fail: Fail): RedisTarget {
  const match = /^unix:\/\/(?:([^:@/]*)(?::([^@/]*))?@)?(\/[^?#]*)(?:\?([^#]*))?$/i.exec(text)
  const plain = /^(\/[^?]*)(?:\?(.*))?$/.exec(text)
  const path = match ? decode(match[3] ?? '') : plain?.[1]
  if (path === undefined || path === '' || path.endsWith('/')) {
    return fail('does not name a unix socket', 'Write it as unix:///run/redis.sock?db=0 or /run/redis.sock.')
  }
  const query = new URLSearchParams((match ? match[4] : plain?.[2]) ?? '')
  const database = query.get('db') ?? ''
  query.delete('db')
  if (query.size > 0) {
    return fail(
      'has parameters that are not supported',
      'Only "db" is known for a unix socket, as in unix:///run/redis.sock?db=0.',
    )
  }
  const [username, password] = credentials(match?.[1] ?? '', match?.[2] ?? '', fail)
  return {
    transport: 'unix',
    host: '',
    port: 0,
    path,
    username,
    password,
    database: databaseOf(database, fail),
  }
}

function credentials(user: string, secret: string, fail: Fail): [string | undefined, string | undefined] {
  const username = decode(user)
  const password = decode(secret)
  if (username === undefined || password === undefined) {
    return fail(
      'has a "%" in its user or password that is not followed by two hex digits',
      'Write a literal "%" as %25.',
    )
  }
  return [username === '' ? undefined : username, password === '' ? undefined : password]
}

function portOf(text: string, fail: Fail): number {
  const port = Number(text)
  return port >= 1 && port <= 65_535 ? port : fail('has an invalid port', 'Use a port from 1 to 65535.')
}

function databaseOf(text: string, fail: Fail): number {
  if (text === '') return 0
  return /^\d{1,9}$/.test(text)
    ? Number(text)
    : fail('has an invalid database', 'End it with a number, as in redis://host:6379/0.')
}

function tryParse(text: string): URL | undefined {
  try {
    return new URL(text)
  } catch {
    return undefined
  }
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator)
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)]
}
