// The primary changes, because it died or because somebody asked the sentinels.
import { cutOff, letIn } from './replication.mjs'
import { MASTER, until } from './support.mjs'

/** @type {import('./catalogue.mjs').Fault[]} */
export const SENTINEL_FAULTS = [
  { name: 'failover', what: 'the primary is killed', begin: (arena) => lose(arena) },
  {
    name: 'failover-lost',
    what: 'the same, and its replicas lack invalidations',
    begin: (arena) => lose(arena, { lacking: true }),
  },
  {
    name: 'planned',
    what: 'SENTINEL FAILOVER',
    async begin({ sentinels }) {
      const old = await sentinels.primary()
      await sentinels.ask(0, 'SENTINEL', 'FAILOVER', MASTER)
      return { end: () => untilReplaced(sentinels, old), restore: () => sentinels.settled(2) }
    },
  },
]

/** @param {{ lacking?: boolean }} [options] `lacking`: what is invalidated first reaches the primary alone */
async function lose({ sentinels }, { lacking = false } = {}) {
  const primary = await sentinels.primary()
  const heirs = sentinels.servers.filter((server) => server !== primary)
  if (lacking) for (const heir of heirs) await cutOff(heir)
  else await primary.kill()
  return {
    async turn() {
      if (!lacking) return
      await primary.kill()
      for (const heir of heirs) await letIn(heir)
    },
    end: () => untilReplaced(sentinels, primary),
    restore: () => sentinels.revive(primary),
  }
}

async function untilReplaced(sentinels, old) {
  await until(async () => {
    const now = await sentinels.primary()
    return now !== undefined && now !== old
  })
}
