import type { Until } from './cache-read'
import type { SingleFlight } from './single-flight'

interface Lead {
  readonly key: string
  readonly token: string
  readonly unlessStored: Until['unlessStored']
}

/** What is led on behalf of something whose end tells that nothing more comes, such as a request. */
export class RequestLeads {
  private readonly leads = new WeakMap<object, Lead[]>()

  /** @param isOnItsWay whether a write of the key is */
  constructor(
    private readonly flight: SingleFlight | undefined,
    private readonly isOnItsWay: (key: string) => boolean,
  ) {}

  /** @param before the token under which the key was led when the read began */
  note(key: string, { what, unlessStored }: Until, before: string | undefined): void {
    const token = this.flight?.tokenOf(key)
    if (token === undefined || token === before) return
    this.leads.set(what, [...(this.leads.get(what) ?? []), { key, token, unlessStored }])
  }

  /** What it led and is not on its way to the store by now nobody generates. */
  over(what: object): void {
    for (const { key, token, unlessStored } of this.leads.get(what) ?? []) {
      if (this.flight?.tokenOf(key) !== token || this.isOnItsWay(key)) continue
      if (unlessStored === 'failed') this.flight.failed(key)
      else this.flight.giveBack(key, token)
    }
    this.leads.delete(what)
  }
}
