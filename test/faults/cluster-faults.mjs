// What a Redis Cluster does while it is operated, and when a shard of it is lost.
import { again } from './again.mjs'
import { cutOff, letIn, untilFollowing, untilPrimary } from './replication.mjs'
import { hashSlot, until } from './support.mjs'

/** How long a slot that moves is open on both sides: requests meet it so. */
const OPEN_MS = 50
/** So many moves at least, a third of them of the tag state. */
const MOVES = 6
const MOVING_ENTRIES = 12
/** After so long a replica has given up its failover: primaries vote once in two node timeouts. */
const REFUSED_MS = 6_000

/** @type {import('./catalogue.mjs').Fault[]} */
export const CLUSTER_FAULTS = [
  { name: 'resharding', what: 'slots that move, that of the tag state too', begin: reshard },
  { name: 'shard', what: 'a shard of entries is killed', begin: (arena) => lose(arena, entryElsewhere) },
  { name: 'tags-shard', what: 'the shard of the tag state is killed', begin: (arena) => lose(arena, tagsOf) },
  {
    name: 'tags-lost',
    what: 'the same, and its replica lacks invalidations',
    begin: (arena) => lose(arena, tagsOf, { lacking: true }),
  },
  {
    name: 'planned',
    what: 'CLUSTER FAILOVER of both',
    async begin(arena) {
      for (const key of [tagsOf(arena), await entryElsewhere(arena)]) await handOver(arena.cluster, key)
      // Back home, whoever never learnt of it would look well.
      return async () => {}
    },
  },
]

const tagsOf = ({ keyPrefix }) => `${keyPrefix}:tags`

async function entriesOf({ cluster, keyPrefix }) {
  const names = (await cluster.everywhere('KEYS', `${keyPrefix}:*{*}`)).flat()
  if (names.length === 0) throw new Error('Redis holds no entries: nothing would be tested')
  return names
}

/** An entry that does not live beside the tag state. */
async function entryElsewhere(arena) {
  const home = await arena.cluster.ownerOf(tagsOf(arena))
  for (const name of await entriesOf(arena)) if ((await arena.cluster.ownerOf(name)) !== home) return name
  throw new Error('All entries live beside the tag state')
}

async function reshard(arena) {
  const { cluster } = arena
  const entries = (await entriesOf(arena)).slice(0, MOVING_ENTRIES)
  let moves = 0
  async function move() {
    const key = moves % 3 === 0 ? tagsOf(arena) : entries[moves % entries.length]
    const primaries = await cluster.primaries()
    primaries.sort((a, b) => a.port - b.port)
    const next = (primaries.indexOf(await cluster.ownerOf(key)) + 1) % primaries.length
    await cluster.moveSlot(hashSlot(key), primaries[next], pause)
    moves++
  }
  const home = await cluster.ownerOf(tagsOf(arena))
  const end = await again(move)
  return async () => {
    await end()
    // Back home, whoever never learnt of the moves would look well.
    while (moves < MOVES || (await cluster.ownerOf(tagsOf(arena))) === home) await move()
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, OPEN_MS))

/** @param {{ lacking?: boolean }} [options] `lacking`: what is invalidated first reaches the primary alone */
async function lose(arena, keyOf, { lacking = false } = {}) {
  const { cluster } = arena
  const key = await keyOf(arena)
  const primary = await cluster.ownerOf(key)
  const heir = await cluster.replicaOf(primary)
  if (lacking) await cutOff(heir)
  else await primary.kill()
  return {
    async turn() {
      if (!lacking) return
      await primary.kill()
      await letIn(heir)
    },
    /** Redis did what it has to: its nodes agree on the heir. */
    async end() {
      const others = cluster.nodes.filter((node) => node !== primary)
      await untilPrimary(heir)
      await until(async () => (await cluster.ownerOf(key, others)) === heir)
    },
    restore: () => cluster.revive(primary),
  }
}

async function handOver(cluster, key) {
  const primary = await cluster.ownerOf(key)
  const heir = await cluster.replicaOf(primary)
  await untilFollowing(heir)
  for (let attempt = 1; ; attempt++) {
    await heir.command('CLUSTER', 'FAILOVER')
    try {
      await untilPrimary(heir, REFUSED_MS)
      break
    } catch (error) {
      if (attempt === 5) throw error
    }
  }
  await until(async () => (await cluster.ownerOf(key)) === heir)
  await until(async () => (await cluster.replicaOf(heir)) === primary)
}
