import { messageOf } from '../../src/errors'
import { withoutPrefix } from './client-errors'
import type { Link, LinkEvents } from './link'

/**
 * A link that has to learn something before it can dial: where to, or with which certificate. It is used only
 * after `onOpen`, as every link, and by then there is one underneath.
 */
export function deferLink<Known>(
  learn: () => Promise<Known>,
  open: (known: Known) => Link,
  events: LinkEvents,
): Link {
  let link: Link | undefined
  let destroyed = false
  learn()
    .then((known) => {
      if (!destroyed) link = open(known)
    })
    .catch((error: unknown) => events.onEnd(withoutPrefix(messageOf(error))))
  const opened = (): Link => {
    if (link === undefined) throw new Error('there is no connection yet')
    return link
  }
  return {
    write: (commands) => opened().write(commands),
    ping: () => opened().ping(),
    subscribe: (channel) => opened().subscribe(channel),
    destroy() {
      destroyed = true
      link?.destroy()
    },
  }
}
