import { DistributedCacheError, messageOf } from '../../src/errors'
import type { RedisPlace } from '../../src/redis-topology'
import type { RedisTarget } from '../../src/redis-url'
import { askOnce } from './ask-once'
import { withoutPrefix } from './client-errors'
import { deferLink } from './deferred-link'
import type { LinkEvents, OpenLink } from './link'
import type { Dialling } from './server-client'
import type { SessionSettings } from './session'
import { openSubscriber } from './subscriber'

type SentinelPlace = Extract<RedisPlace, { topology: 'sentinel' }>
type Address = Pick<RedisTarget, 'host' | 'port'>

/** Where the sentinels say `<name> <old host> <old port> <new host> <new port>` after a failover. */
const SWITCH_CHANNEL = '+switch-master'
/** What was announced is believed without asking for this long, in milliseconds: other sentinels may be behind. */
const ANNOUNCED_MS = 10_000

/**
 * Dials the primary that the sentinels name. Every dial asks them, so that a lost connection leads to the new
 * primary as soon as they agreed on it; the greeting checks with ROLE that it is one (handshake.ts). After a
 * failover the old primary may go on taking commands for seconds, so a third connection listens to a sentinel
 * and the others leave as soon as it announces another primary.
 */
export function throughSentinels(
  openLink: OpenLink,
  { sentinels, master, target }: SentinelPlace,
  settings: Omit<SessionSettings, 'target'>,
): Dialling {
  /** The next dial begins with another one, in case the last answer was behind; silent ones come last. */
  const order = [...sentinels]
  const silent = new Set<RedisTarget>()
  const uses = new Map<'commands' | 'subscriptions', { address: string; events: LinkEvents }>()
  let announced: { address: Address; until: number } | undefined

  async function findPrimary(): Promise<RedisTarget> {
    if (announced !== undefined && performance.now() < announced.until)
      return { ...target, ...announced.address }
    // All of them, and the dial that follows, fit into the time of one dial.
    const patienceMs = settings.connectMs / (sentinels.length + 1)
    const reasons: string[] = []
    // Of what stood there when it began: it is put in order meanwhile.
    for (const sentinel of order.slice()) {
      const name = addressOf(sentinel)
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

  async function askSentinel(sentinel: RedisTarget, timeoutMs: number): Promise<Address | undefined> {
    const command = { key: undefined, args: ['SENTINEL', 'get-master-addr-by-name', master] as const }
    const [reply] = await askOnce(openLink, { ...settings, target: sentinel }, [command], timeoutMs)
    if (reply instanceof Error) throw reply
    return Array.isArray(reply) ? readAddress(reply.map(String)) : undefined
  }

  const linksFor =
    (use: 'commands' | 'subscriptions'): OpenLink =>
    (_target, connectMs, events) =>
      deferLink(
        findPrimary,
        (primary) => {
          uses.set(use, { address: addressOf(primary), events })
          return openLink(primary, connectMs, events)
        },
        events,
      )

  const watcher = openSubscriber(
    (_target, connectMs, events) => {
      const [sentinel = sentinels[0] as RedisTarget] = order
      order.push(...order.splice(0, 1))
      return openLink(sentinel, connectMs, events)
    },
    { ...settings, target: sentinels[0] as RedisTarget, clientName: `${settings.clientName}:sentinel` },
  )
  watcher.add(
    SWITCH_CHANNEL,
    (payload) => {
      const [name, , , ...rest] = payload.toString().split(' ')
      const address = name === master ? readAddress(rest) : undefined
      if (address === undefined) return
      announced = { address, until: performance.now() + ANNOUNCED_MS }
      for (const [use, { address: dialled, events }] of uses) {
        if (dialled === addressOf(address)) continue
        uses.delete(use)
        events.onEnd('the sentinels named another primary')
      }
    },
    // Deaf for a while: a dead primary shows by itself.
    () => {},
  )

  return {
    commands: linksFor('commands'),
    subscriptions: linksFor('subscriptions'),
    strays() {
      const [commands, subscriptions] = [uses.get('commands'), uses.get('subscriptions')]
      return subscriptions !== undefined && subscriptions.address !== commands?.address
    },
    close: () => watcher.close(),
  }
}

function readAddress([host = '', port = '']: readonly string[]): Address | undefined {
  return host !== '' && Number(port) > 0 ? { host, port: Number(port) } : undefined
}

function addressOf({ host, port }: Address): string {
  return `${host}:${port}`
}
