import { messageOf } from '../../src/errors'
import { deferLink } from './deferred-link'
import type { OpenLink } from './link'

/**
 * A driver takes longer to load than everything else of a start. Whoever requires the handlers has them before: it is
 * loaded in the next turn of the event loop, by the first connection, which waits for no request. A driver that fails
 * then is a connection that fails: it is said why, and tried again.
 */
export function loadLater(load: () => OpenLink): OpenLink {
  let openLink: OpenLink | undefined
  const loadInNextTurn = async (): Promise<OpenLink> => {
    await new Promise<void>((resolve) => void setImmediate(resolve))
    try {
      return (openLink ??= load())
    } catch (error) {
      // Node.js appends the stack of requires to what it cannot find.
      const [reason = ''] = messageOf(error).split('\n', 1)
      throw new Error(`the driver cannot be loaded: ${reason}`, { cause: error })
    }
  }
  return (target, connectMs, events, tls) =>
    openLink?.(target, connectMs, events, tls) ??
    deferLink(loadInNextTurn, (open) => open(target, connectMs, events, tls), events)
}
