import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { encodeNamespace, readEnvironment, withoutSecrets } from '../../src/environment'
import { ERROR_PREFIX, messageOf } from '../../src/errors'
import { redactUrl } from '../../src/redis-url'
import { DEFAULT_MEMORY_BYTES } from '../../src/wiring'
import type { Decision, EntryModules, Handlers, RouterHost, RouterModule } from './contract'
import { createFallbackHandlers } from './fallback'
import { findRouter } from './find-router'
import { withForwarding } from './forwarding'
import { handlersOnce, inNextTurn } from './later'
import { createStockHandlers } from './stock'

/** One decision per process, however often this module is loaded. */
const DECISION = Symbol.for('next-distributed-cache.decision')

function log(level: 'info' | 'warn' | 'error', message: string): void {
  console[level](`${ERROR_PREFIX} ${message}`)
}

function readText(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8').trim()
    return text === '' ? undefined : text
  } catch {
    return undefined
  }
}

/** Node.js appends the stack of requires to what it cannot find. */
function firstLineOf(error: unknown): string {
  return messageOf(error).split('\n', 1)[0]!.replace(/\.$/, '')
}

/** Loads the generated router; the path is not for bundlers to see, which would trace the whole project. */
function loadRouter(path: string): RouterModule {
  return createRequire(path)(path) as RouterModule
}

/** A cache that cannot work must not take the site down. */
function stockBecause(reason: string): Decision {
  log('error', `${reason} Serving with the cache of Next.js alone: this replica shares nothing.`)
  const settings = { memoryBytes: DEFAULT_MEMORY_BYTES, imageDiskBytes: undefined, imagesInHandler: false }
  return { mode: 'stock', reason, handlers: createStockHandlers(settings) }
}

function decide(modules: EntryModules): Decision {
  const path = findRouter(process.env, process.cwd())
  if (path === undefined)
    return stockBecause(
      `The generated router (distributed-cache/router.cjs) is not in the build output below ${process.cwd()}. Build again with withDistributedCache in next.config, and copy the whole output.`,
    )
  const host: RouterHost = {
    ...modules,
    variables: process.env,
    readEnvironment,
    withoutSecrets,
    redactUrl,
    encodeNamespace,
    readText,
    createStockHandlers,
    createFallbackHandlers,
    withForwarding,
    inNextTurn,
    handlersOnce,
    log,
  }
  try {
    return loadRouter(path).decide(host)
  } catch (error) {
    return stockBecause(`The generated router ${path} cannot be loaded: ${firstLineOf(error)}.`)
  }
}

/** The handlers of this process: decided at the first call, the same ones ever after. */
export function handlersOf(modules: EntryModules): Handlers {
  const process = globalThis as { [DECISION]?: Decision }
  return (process[DECISION] ??= decide(modules)).handlers
}
