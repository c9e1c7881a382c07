import type { AfterAnswer, CacheReadOptions } from './cache-read'
import type { SingleFlight } from './single-flight'

interface Lead {
  readonly key: string
  readonly token: string
  readonly afterAnswer: AfterAnswer
}

/** What requests lead, since their end tells that nothing more comes. */
export class RequestLeads {
  private readonly leads = new WeakMap<object, Lead[]>()

  /** @param isOnItsWay whether a write of the key is */
  constructor(
    private readonly flight: SingleFlight | undefined,
    private readonly isOnItsWay: (key: string) => boolean,
  ) {}

  /** @param before the token under which the key was led when the read began */
  note(key: string, { request, afterAnswer }: CacheReadOptions, before: string | undefined): void {
    const token = this.flight?.tokenOf(key)
    if (token === undefined || token === before) return
    if (request === undefined || afterAnswer === undefined) return
    const others = this.leads.get(request) ?? []
    this.leads.set(request, [...others, { key, token, afterAnswer }])
  }

  answered(request: object, hasFailed: boolean): void {
    const leads = this.leads.get(request)
    if (leads === undefined) return
    const open = leads.filter(({ key, token, afterAnswer }) => {
      const outcome = hasFailed ? 'failed' : afterAnswer
      if (outcome === 'mayFollow') return true
      if (this.flight?.tokenOf(key) !== token || this.isOnItsWay(key)) return false
      if (outcome === 'failed') this.flight.failed(key)
      else this.flight.giveBack(key, token)
      return false
    })
    this.leads.set(request, open)
  }
}
