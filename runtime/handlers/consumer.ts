/**
 * Whether a request, and no cache, consumes what is read now: only when Next positively says so. Internal to
 * Next (`work-unit-async-storage.external`, next@16.2 to 16.4), hence the guard; without it the answer is no.
 */
export function isConsumerRequest(): boolean {
  return storage()?.getStore()?.type === 'request'
}

interface WorkUnitStorage {
  getStore(): { type?: string } | undefined
}

let found: WorkUnitStorage | undefined | null = null

function storage(): WorkUnitStorage | undefined {
  if (found === null) {
    try {
      const loaded = require('next/dist/server/app-render/work-unit-async-storage.external.js') as {
        workUnitAsyncStorage?: WorkUnitStorage
      }
      found =
        typeof loaded.workUnitAsyncStorage?.getStore === 'function' ? loaded.workUnitAsyncStorage : undefined
    } catch {
      found = undefined
    }
  }
  return found
}
