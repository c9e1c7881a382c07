import { defineConfig } from 'vitest/config'

/**
 * With NDC_TOPOLOGY=cluster the integration tests run against clusters of three primaries. Left out is what
 * watches or breaks one connection to one server through a proxy, or speaks to the client without a store;
 * cluster-client.test.ts and cluster-failover.test.ts stand in for it. Single tests are skipped for the same
 * reason (ON_CLUSTER).
 */
const onCluster = [
  'build-output',
  'cluster*',
  'compression',
  'ingredients',
  'l1-pubsub',
  'lost-knowledge',
  'overtaken-reads',
  'prerender-io',
  'response-handler',
  'single-flight',
  'use-cache-handler',
]
const integrationFiles = process.env.NDC_TOPOLOGY === 'cluster' ? `{${onCluster.join(',')}}` : '*'

const second = 1_000
const minute = 60 * second

// One project per suite. `npm test` runs them one after the other; `groupOrder` keeps them apart when
// vitest is started by hand for all of them, so that Next builds do not time out unit tests.
export default defineConfig({
  test: {
    // A test that passes only at the second try hides the races this package exists to prevent.
    retry: 0,
    allowOnly: false,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.{ts,mts,mjs}'],
          testTimeout: 10 * second,
          hookTimeout: 10 * second,
          sequence: { groupOrder: 0 },
        },
      },
      {
        // Type tests (*.test-d.ts): compiled, never run.
        test: {
          name: 'types',
          include: [],
          typecheck: {
            enabled: true,
            only: true,
            include: ['test/types/**/*.test-d.ts'],
            tsconfig: './tsconfig.test.json',
            // `npm run typecheck` reports errors outside the type tests.
            ignoreSourceErrors: true,
          },
          sequence: { groupOrder: 0 },
        },
      },
      {
        // What Next.js and the drivers promise us, checked against the installed versions.
        test: {
          name: 'contract',
          include: ['test/contract/**/*.test.{ts,mts,mjs}'],
          testTimeout: 30 * second,
          hookTimeout: minute,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // A real Redis: each file starts its own, from the redis-server on the PATH.
        test: {
          name: 'integration',
          include: [`test/integration/${integrationFiles}.test.{ts,mts,mjs}`],
          testTimeout: 30 * second,
          hookTimeout: minute,
          sequence: { groupOrder: 2 },
        },
      },
      {
        // Clients, faults and a checker over what they saw, without Next: real processes that want the machine for
        // themselves.
        test: {
          name: 'history',
          include: ['test/history/**/*.test.mjs'],
          testTimeout: minute,
          hookTimeout: 2 * minute,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
      {
        // Real Next builds and servers: one file at a time, and a build may take minutes on a small machine.
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.{ts,mts,mjs}'],
          testTimeout: 3 * minute,
          hookTimeout: 15 * minute,
          fileParallelism: false,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
})
