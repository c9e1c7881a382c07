// Bugs to put into the replicas, to see that the harness finds them.
import { applyEdits } from '../differential/sabotage.mjs'

export const SABOTAGES = {
  journal: {
    what: 'an invalidation that cannot be sent is dropped',
    edits: [
      {
        file: 'runtime/cache/invalidator.js',
        find: 'keep(changes) {',
        replace: 'keep(changes) {\n        return;',
      },
    ],
  },
  reads: {
    what: 'a read that finds no Redis throws into Next',
    edits: [
      { file: 'runtime/cache/cache.js', find: "this.unavailable('A read', error);", replace: 'throw error;' },
    ],
  },
  reconnect: {
    what: 'a connection that was lost stays lost',
    edits: [{ file: 'runtime/clients/connection.js', find: 'if (!closed)\n', replace: 'if (false)\n' }],
  },
}

/** @returns what `openArena` does to its copy of the build */
export const tamperWith = (name) => name && ((standalone) => applyEdits(SABOTAGES[name].edits, standalone))
