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
  loss: {
    what: 'nobody makes up for what a failover of Redis lost',
    edits: [
      {
        file: 'runtime/store/acknowledged.js',
        find: 'recent() {',
        replace: 'recent() {\n        return undefined;',
      },
      { file: 'runtime/store/redis-store.js', find: 'view.clock < known', replace: 'false' },
      ...['attend', 'invalidate'].map((script) => ({
        file: `runtime/store/scripts/${script}.js`,
        find: 'if lost or clock < observed then',
        replace: 'if lost then',
      })),
    ],
  },
  map: {
    what: 'in a Cluster, slots are taken to be for ever where they were first',
    edits: [
      {
        file: 'runtime/clients/cluster-map.js',
        find: 'function refresh() {',
        replace: 'function refresh() {\n        if (owners !== undefined)\n            return;',
      },
      {
        file: 'runtime/clients/cluster-map.js',
        find: 'moved(slot, address) {',
        replace: 'moved(slot, address) {\n            return;',
      },
    ],
  },
  primary: {
    what: 'the primary that sentinels named first is dialled for ever',
    edits: [
      {
        file: 'runtime/clients/sentinel.js',
        find: 'async function findPrimary() {',
        replace:
          'let first;\n    const findPrimary = () => (first ??= findFirst());\n    async function findFirst() {',
      },
    ],
  },
}

/** @returns what `openArena` does to its copy of the build */
export const tamperWith = (name) => name && ((standalone) => applyEdits(SABOTAGES[name].edits, standalone))
