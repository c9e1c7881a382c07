import { DistributedCacheError, messageOf } from '../../src/errors'
import type { RedisPlace } from '../../src/redis-topology'
import type { RedisTarget } from '../../src/redis-url'
import { askOnce } from './ask-once'
import { deferLink } from './deferred-link'
import type { OpenLink } from './link'
import { withoutPrefix } from './reason'
import type { Dialling } from './server-client'
import type { SessionSettings } from './session'

type SentinelPlace = Extract<RedisPlace, { topology: 'sentinel' }>

/**
 * Dials the primary that the sentinels name. Every dial asks them anew, so that a lost connection leads to the
 * new primary as soon as they agreed on it; the greeting checks with ROLE that it is one (session.ts).
 */
export function throughSentinels(
  openLink: OpenLink,
  { sentinels, master, target }: SentinelPlace,
  settings: Omit<SessionSettings, 'target'>,
): Dialling {
  /** The next dial begins with another one, in case the last answer was behind; silent ones come last. */
  const order = [...sentinels]
  const silent = new Set<RedisTarget>()
  const addresses: { commands?: string; subscriptions?: string } = {}

  async function findPrimary(): Promise<RedisTarget> {
    // All of them, and the dial that follows, fit into the time of one dial.
    const patienceMs = settings.connectMs / (sentinels.length + 1)
    const reasons: string[] = []
    for (const sentinel of [...order]) {
      const name = `${sentinel.host}:${sentinel.port}`
      try {
        const address = await askSentinel(sentinel, patienceMs)
        silent.delete(sentinel)
        if (address !== undefined) return { ...target, ...address }
        reasons.push(`${name} knows no primary of that name`)
      } catch (error) {
        silent.add(sentinel)
        reasons.push(`${name}: ${withoutPrefix(messageOf(error))}`)
      } finally {
        order.push(...order.splice(order.indexOf(sentinel), 1))
        order.sort((a, b) => Number(silent.has(a)) - Number(silent.has(b)))
      }
    }
    throw new DistributedCacheError(
      'CLIENT',
      `No sentinel told the address of the primary "${master}" (${reasons.join('; ')})`,
    )
  }

  async function askSentinel(sentinel: RedisTarget, timeoutMs: number) {
    const asking = { ...settings, target: sentinel }
    const args = ['SENTINEL', 'get-master-addr-by-name', master] as const
    const [reply] = await askOnce(openLink, asking, [{ key: undefined, args: [...args] }], timeoutMs)
    if (reply instanceof Error) throw reply
    if (!Array.isArray(reply)) return undefined
    const [host, port] = reply.map(String)
    if (host === undefined || !(Number(port) > 0)) return undefined
    return { host, port: Number(port) }
  }

  const linksFor =
    (use: keyof typeof addresses): OpenLink =>
    (_target, connectMs, events) =>
      deferLink(
        findPrimary,
        (primary) => {
          addresses[use] = `${primary.host}:${primary.port}`
          return openLink(primary, connectMs, events)
        },
        events,
      )
  return {
    commands: linksFor('commands'),
    subscriptions: linksFor('subscriptions'),
    strays: () => addresses.subscriptions !== undefined && addresses.subscriptions !== addresses.commands,
  }
}
