import { DistributedCacheError } from './errors'
import { nearestName } from './nearest-name'
import type { DistributedCacheOptions } from './options'

/** Throws when the value is not acceptable; `path` names it in the message. */
type Check = (value: unknown, path: string) => void

const LARGEST_REDIS_VALUE_BYTES = 512 * 1024 * 1024
const ONE_YEAR_SECONDS = 365 * 24 * 60 * 60
const LONGEST_NAME = 128

/** Safe in a key name, a Cluster hash slot, an ACL pattern and a log line. */
const NAME_CHARACTERS = /^[\w:.@/~+-]+$/

function fail(message: string, fix: string): never {
  throw new DistributedCacheError('INVALID_OPTION', `${message}. ${fix}`)
}

/** A short rendering of any value, safe to print. */
function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value)
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object' && value !== null) return 'an object'
  if (typeof value === 'bigint') return `${value}n`
  return String(value)
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function oneOf(...allowed: string[]): Check {
  return (value, path) => {
    if (allowed.includes(value as string)) return
    const choices = allowed.map((choice) => `'${choice}'`).join(' or ')
    const meant = typeof value === 'string' ? nearestName(value, allowed) : undefined
    fail(
      `Option "${path}" is ${show(value)}`,
      meant === undefined ? `Use ${choices}.` : `Did you mean '${meant}'? Use ${choices}.`,
    )
  }
}

const boolean: Check = (value, path) => {
  if (typeof value !== 'boolean') fail(`Option "${path}" is ${show(value)}`, 'Use true or false.')
}

function integer(least: number, most: number, unit: string): Check {
  return (value, path) => {
    const valid = typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
    if (!valid)
      fail(`Option "${path}" is ${show(value)}`, `Use a whole number of ${unit} from ${least} to ${most}.`)
  }
}

/** True when the text can be part of every key name. */
export function isSafeName(text: string): boolean {
  return text.length <= LONGEST_NAME && NAME_CHARACTERS.test(text)
}

const name: Check = (value, path) => {
  if (typeof value !== 'string' || value === '')
    fail(`Option "${path}" is ${show(value)}`, 'Use a non-empty string.')
  if (value.length > LONGEST_NAME)
    fail(`Option "${path}" has ${value.length} characters`, `Use at most ${LONGEST_NAME}.`)
  if (!isSafeName(value))
    fail(
      `Option "${path}" is ${show(value)}, which has characters that are not safe in a Redis key name`,
      'Use letters, digits and : . _ - @ / ~ + only.',
    )
}

const modulePath: Check = (value, path) => {
  if (typeof value !== 'string' || value === '')
    fail(
      `Option "${path}" is ${show(value)}`,
      'Use the path of a module, absolute or relative to the project directory.',
    )
}

/** Undefined members count as absent, so that `namespace: process.env.RELEASE` works. */
function object(fields: Record<string, Check>): Check {
  return (value, path) => {
    if (!isPlainObject(value))
      fail(`${path === '' ? 'The options are' : `Option "${path}" is`} ${show(value)}`, 'Use an object.')
    for (const [key, member] of Object.entries(value)) {
      const memberPath = path === '' ? key : `${path}.${key}`
      const check = Object.hasOwn(fields, key) ? fields[key] : undefined
      if (check === undefined) {
        const meant = nearestName(key, Object.keys(fields))
        const hint = meant === undefined ? '' : `Did you mean "${path === '' ? meant : `${path}.${meant}`}"? `
        fail(`Unknown option "${memberPath}"`, `${hint}Known options: ${Object.keys(fields).join(', ')}.`)
      }
      if (member !== undefined) check(member, memberPath)
    }
  }
}

/** One of the literals, or else what `check` accepts. */
function either(literals: readonly unknown[], check: Check): Check {
  return (value, path) => {
    if (!literals.includes(value)) check(value, path)
  }
}

const handlersByKind: Check = (value, path) => {
  if (!isPlainObject(value))
    fail(`Option "${path}" is ${show(value)}`, 'Use an object of module paths by kind.')
  for (const [kind, member] of Object.entries(value)) {
    const kindPath = `${path}.${kind}`
    if (kind !== 'default' && kind !== 'remote')
      fail(
        `Option "${kindPath}" names a kind that this package does not serve`,
        "Only 'default' and 'remote' can have a fallback; handlers of other kinds stay as they are in cacheHandlers.",
      )
    if (member !== undefined) modulePath(member, kindPath)
  }
}

const codec = oneOf('none', 'gzip', 'brotli', 'zstd')

const compression: Check = (value, path) => {
  if (typeof value === 'string') return codec(value, path)
  object({ codec, thresholdBytes: integer(0, LARGEST_REDIS_VALUE_BYTES, 'bytes') })(value, path)
  if ((value as Record<string, unknown>)['codec'] === undefined)
    fail(`Option "${path}.codec" is missing`, "Use 'none', 'gzip', 'brotli' or 'zstd'.")
}

const options = object({
  preset: oneOf('strict', 'l1-pubsub'),
  driver: oneOf('ioredis', 'redis'),
  useCache: oneOf('all', 'remote-only'),
  images: boolean,
  fallback: object({ cacheHandler: modulePath, cacheHandlers: handlersByKind }),
  namespace: name,
  keyPrefix: name,
  singleFlight: either(
    [false],
    object({
      leaseMs: integer(100, 60_000, 'milliseconds'),
      waitMs: integer(0, 300_000, 'milliseconds'),
    }),
  ),
  l1: object({
    maxBytes: integer(0, Number.MAX_SAFE_INTEGER, 'bytes'),
    maxEntryBytes: integer(0, Number.MAX_SAFE_INTEGER, 'bytes'),
  }),
  timeouts: object({
    connectMs: integer(1, 120_000, 'milliseconds'),
    commandMs: integer(1, 60_000, 'milliseconds'),
    requestBudgetMs: integer(1, 120_000, 'milliseconds'),
  }),
  invalidations: object({
    onFailure: oneOf('journal', 'reject'),
    replicas: integer(0, 100, 'replicas'),
  }),
  compression,
  maxEntryBytes: integer(1, LARGEST_REDIS_VALUE_BYTES, 'bytes'),
  maxTtlSeconds: integer(1, ONE_YEAR_SECONDS, 'seconds'),
})

/** Throws INVALID_OPTION, saying what is wrong, the value and the fix. */
export function validateOptions(value: unknown): DistributedCacheOptions {
  options(value, '')
  const checked = value as DistributedCacheOptions
  const { maxBytes, maxEntryBytes } = checked.l1 ?? {}
  if (maxBytes !== undefined && maxEntryBytes !== undefined && maxEntryBytes > maxBytes)
    fail(
      `Option "l1.maxEntryBytes" (${maxEntryBytes}) is larger than "l1.maxBytes" (${maxBytes})`,
      'Lower the first or raise the second.',
    )
  return checked
}
