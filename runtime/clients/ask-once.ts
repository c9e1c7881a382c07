import type { RedisCommand, RedisReply } from './client'
import { clientError } from './client-errors'
import type { OpenLink } from './link'
import { type SessionSettings, startSession } from './session'

/** Asks a server that is not connected otherwise: dials, sends one batch, hangs up. Bounded by `timeoutMs`. */
export function askOnce(
  openLink: OpenLink,
  settings: SessionSettings,
  commands: readonly RedisCommand[],
  timeoutMs: number,
): Promise<RedisReply[]> {
  const startedAt = performance.now()
  return new Promise((resolve, reject) => {
    const session = startSession(
      openLink,
      { ...settings, connectMs: timeoutMs },
      {
        onReady() {
          const leftMs = Math.max(1, timeoutMs - (performance.now() - startedAt))
          session
            .send(commands, leftMs)
            .then(resolve, reject)
            .finally(() => session.end(clientError('it has answered')))
        },
        // Settled already when it was asked: then this changes nothing.
        onEnd: (reason) => reject(clientError(reason)),
        onMessage() {},
      },
    )
  })
}
