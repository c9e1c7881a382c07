// Every chosen fault against one cell, one after the other.
import { createRandom } from '../differential/random.mjs'
import { openArena } from './arena.mjs'
import { createInvalidations } from './invalidations.mjs'
import { startLoad } from './load.mjs'
import { runFault } from './run-fault.mjs'

/**
 * Opens a cell with its load; `run(fault)` gives one row, `close` ends everything.
 *
 * @param {{ app: object, preset: string, keyPrefix?: string, seed: number, pace: object, tamper?: Function }} choice
 */
export async function openCell({ pace, seed, ...choice }) {
  const arena = await openArena(choice)
  const random = createRandom(seed)
  const load = startLoad({
    replicas: arena.replicas,
    random,
    perSecond: pace.perSecond,
    limitMs: pace.requestMs,
  })
  const invalidations = createInvalidations({ arena, ...pace })
  const parts = { arena, load, invalidations, pace }
  return {
    arena,
    load,
    random,
    run: (fault) => runFault(fault, parts),
    async close() {
      await load.stop()
      await arena.stop()
    },
  }
}
