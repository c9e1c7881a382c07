import type { Decision, FallbackModules, RouterHost, StockSettings } from '../runtime/entries/contract'
import type { RuntimeConfig } from '../runtime/index'

declare const __NDC_OPTIONS__: RuntimeConfig['options']
declare const __NDC_STOCK__: StockSettings
declare const __NDC_FALLBACK__: FallbackModules

// The request-time router of next-distributed-cache, generated for one application. It holds the options as data
// and decides, once per process and from the environment of that process, who serves the caches.
const options = __NDC_OPTIONS__
const stock = __NDC_STOCK__
const fallback = __NDC_FALLBACK__

/** What serves when this package does not: the handlers that the application had, else those of Next.js. */
function previousHandlers(host: RouterHost): Pick<Decision, 'mode' | 'handlers'> {
  if (Object.keys(fallback).length === 0) return { mode: 'stock', handlers: host.createStockHandlers(stock) }
  try {
    return { mode: 'fallback', handlers: host.createFallbackHandlers(fallback, stock) }
  } catch (error) {
    host.log(
      'error',
      `The previous cache handlers of this application cannot be loaded: ${messageOf(error)}.`,
    )
    return { mode: 'stock', handlers: host.createStockHandlers(stock) }
  }
}

/** One line, without the full stop: Node.js appends the stack of requires to what it cannot find. */
function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const line = message
    .split('\n', 1)[0]!
    .replace(/^\[next-distributed-cache\] /, '')
    .replace(/\.$/, '')
  const isMissing = (error as { code?: unknown } | null)?.code === 'MODULE_NOT_FOUND'
  return isMissing ? `${line}; install it where the server runs, or copy the whole build output` : line
}

/** Tells the entries of deployments apart. */
function findNamespace(
  host: RouterHost,
  fromEnvironment: string | undefined,
): [name: string, source: string] {
  if (fromEnvironment !== undefined) return [fromEnvironment, 'DISTRIBUTED_CACHE_NAMESPACE']
  if (options.namespace !== undefined) return [options.namespace, 'option']
  // Set by the server from its configuration, before it loads a cache handler. With it, BUILD_ID is a constant.
  const deploymentId = host.variables['NEXT_DEPLOYMENT_ID']
  if (deploymentId !== undefined && deploymentId !== '') return [deploymentId, 'deployment id']
  const buildId = host.readText(`${__dirname}/../BUILD_ID`)
  if (buildId !== undefined) return [buildId, 'BUILD_ID']
  if (host.variables['NODE_ENV'] === 'development') return ['development', 'next dev']
  throw new Error('neither a deployment id nor a BUILD_ID file tells this deployment from others')
}

/** When `next build` began, as it wrote down beside this file [ms]. */
function findBuildStart(host: RouterHost): number | undefined {
  try {
    const { startedAt } = JSON.parse(host.readText(`${__dirname}/build.json`) ?? '{}') as {
      startedAt?: unknown
    }
    return typeof startedAt === 'number' && startedAt > 0 ? startedAt : undefined
  } catch {
    return undefined
  }
}

function configure(host: RouterHost, environment: ReturnType<RouterHost['readEnvironment']>): RuntimeConfig {
  const { topology, preset, url, debug, encryption } = environment
  return {
    options: { ...options, driver: host.driver, preset: preset ?? options.preset },
    backend: 'redis',
    url,
    topology,
    namespace: host.encodeNamespace(findNamespace(host, environment.namespace)[0]),
    debug,
    encryption,
    buildStartedAt: findBuildStart(host),
    createClient: host.loadClient().createClient,
  }
}

/** Prerendering shares nothing and opens no socket: an in-process cache for the length of the build. */
function decideForBuild(host: RouterHost): Decision {
  const config: RuntimeConfig = {
    options: { ...options, driver: host.driver },
    backend: 'memory',
    url: undefined,
    namespace: 'build',
    debug: false,
    createClient: undefined,
  }
  return { mode: 'runtime', reason: 'next build', handlers: host.loadRuntime().getRuntime(config) }
}

function decideForServer(host: RouterHost): Decision {
  let url: string | undefined
  /** Something is wrong that somebody should know: one loud line, and the site stays up. */
  const because = (level: 'warn' | 'error', reason: string): Decision => {
    const previous = previousHandlers(host)
    const said = `off: ${host.withoutSecrets(reason, url)} Serving with ${nameOf(previous.mode)} alone: this replica shares nothing.`
    host.log(level, said)
    return { ...previous, reason: said }
  }
  const orPrevious = (decideNow: () => Decision): Decision => {
    try {
      return decideNow()
    } catch (error) {
      return because('error', `${messageOf(error)}.`)
    }
  }
  return orPrevious(() => {
    const environment = host.readEnvironment(host.variables)
    url = environment.url
    if (environment.enabled === 'off') return decideOff(host, environment)
    if (environment.enabled === undefined && host.variables['NODE_ENV'] === 'development')
      return { ...previousHandlers(host), reason: 'off: next dev' }
    if (url === undefined)
      return because(
        'warn',
        'neither DISTRIBUTED_CACHE_URL nor REDIS_URL is set. Set one, or set DISTRIBUTED_CACHE=off to silence this.',
      )
    const redis = url
    return once(host, () => orPrevious(() => serveShared(host, environment, redis)))
  })
}

/**
 * Ours, unless the driver cannot be loaded. That takes longer than everything else of a start, so Next gets its handlers
 * before, and what is called until then waits for the outcome.
 */
function once(host: RouterHost, decideNow: () => Decision): Decision {
  // The application's own may differ by kind where ours are one object, and Next asks at once whether they are.
  if (fallback.default !== undefined || fallback.remote !== undefined) return decideNow()
  const decided = host.inNextTurn(() => {
    const { mode, reason, handlers } = decideNow()
    decision.mode = mode
    decision.reason = reason
    return handlers
  })
  const decision: Decision = {
    mode: 'runtime',
    reason: `on: ${host.driver} is being loaded`,
    handlers: host.handlersOnce(decided, options.useCache !== 'remote-only'),
  }
  return decision
}

function serveShared(
  host: RouterHost,
  environment: ReturnType<RouterHost['readEnvironment']>,
  url: string,
): Decision {
  // Loads the driver: without it there shall be no runtime.
  const config = configure(host, environment)
  const runtime = host.loadRuntime().getRuntime(config)
  const [, source] = findNamespace(host, environment.namespace)
  const place = environment.topology === 'single' ? '' : ` (${environment.topology})`
  const reason = `on: ${config.options.preset} preset, ${host.driver} to ${host.redactUrl(url)}${place}, keys ${options.keyPrefix}, namespace ${config.namespace} (${source})${config.encryption === undefined ? '' : ', entries encrypted'}`
  host.log('info', reason)
  return { mode: 'runtime', reason, handlers: runtime }
}

/** Off means off, but not deaf: an invalidation on this replica still reaches those that are on. */
function decideOff(host: RouterHost, environment: ReturnType<RouterHost['readEnvironment']>): Decision {
  const { mode, handlers } = previousHandlers(host)
  const reason = `off (DISTRIBUTED_CACHE=off): ${nameOf(mode)}`
  const { url } = environment
  if (url === undefined) {
    host.log('info', reason)
    return { mode, handlers, reason }
  }
  const forwarder = host.inNextTurn(() => {
    try {
      const made = host.loadRuntime().getForwarder(configure(host, environment))
      decision.reason = `${reason}; invalidations are forwarded to ${host.redactUrl(url)}`
      host.log('info', decision.reason)
      return made
    } catch (error) {
      decision.reason = `${reason}; invalidations are not forwarded: ${host.withoutSecrets(messageOf(error), url)}`
      host.log('error', decision.reason)
      return undefined
    }
  })
  const forwarding = host.withForwarding(handlers, {
    invalidate: async (tags, durations) => (await forwarder)?.invalidate(tags, durations),
  })
  const decision: Decision = { mode, handlers: forwarding, reason }
  return decision
}

function nameOf(mode: Decision['mode']): string {
  return mode === 'fallback' ? 'the cache handlers that the application had' : 'the cache handlers of Next.js'
}

export function decide(host: RouterHost): Decision {
  if (host.variables['NEXT_PHASE'] === 'phase-production-build') return decideForBuild(host)
  return decideForServer(host)
}
