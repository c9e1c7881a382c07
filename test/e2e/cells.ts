import type { Mode } from '../support/e2e-fleet'
import type { AppChoice } from '../support/e2e-tools'
import { ownHandlers } from './own-handlers'

interface Row {
  readonly minor: string
  readonly variant: AppChoice['variant']
  readonly bundler: AppChoice['bundler']
  readonly manager: AppChoice['manager']
  readonly driver: AppChoice['driver']
  /** How its replicas are started: the whole core runs for each. */
  readonly modes: readonly Mode[]
  /** Optimised images are shared. */
  readonly images?: true
  /** Told apart by this NEXT_DEPLOYMENT_ID instead of BUILD_ID. */
  readonly deployment?: string
  /** First part of every Redis key, if not the one made of the package's name. */
  readonly keyPrefix?: string
  /** The application had cache handlers of its own. */
  readonly hadHandlers?: true
  /** Built without a REDIS_URL; the others are built with one that counts connections. */
  readonly builtWithoutUrl?: true
}

export interface Cell extends Row {
  /** Unique, for people and for `vitest -t`. */
  readonly name: string
  /** First part of every Redis key. */
  readonly keyPrefix: string
  /** How the app is built. */
  readonly choice: AppChoice
}

const both: readonly Mode[] = ['standalone', 'start']
const one: readonly Mode[] = ['standalone']

/**
 * The matrix. Together the rows cover, with two replicas each: every pair of bundler and way to start (`start`
 * is `next start`; `standalone` is copied to an empty directory of read-only files), both variants of the
 * store, every package manager, both drivers, and on each minor version everything that the store uses.
 */
// oxfmt-ignore
const ROWS: readonly Row[] = [
  { minor: '16.4', variant: 'components', bundler: 'turbopack', manager: 'npm', driver: 'ioredis', modes: both },
  { minor: '16.4', variant: 'classic', bundler: 'webpack', manager: 'npm', driver: 'redis', modes: both, deployment: 'blue' },
  { minor: '16.4', variant: 'classic', bundler: 'turbopack', manager: 'pnpm', driver: 'ioredis', modes: both, deployment: 'green', images: true, builtWithoutUrl: true },
  { minor: '16.4', variant: 'components', bundler: 'webpack', manager: 'workspace', driver: 'redis', modes: both, keyPrefix: 'catalogue', hadHandlers: true },
  { minor: '16.3', variant: 'components', bundler: 'turbopack', manager: 'npm', driver: 'redis', modes: one },
  { minor: '16.3', variant: 'classic', bundler: 'webpack', manager: 'npm', driver: 'ioredis', modes: one },
  { minor: '16.2', variant: 'components', bundler: 'webpack', manager: 'npm', driver: 'ioredis', modes: one },
  { minor: '16.2', variant: 'classic', bundler: 'turbopack', manager: 'npm', driver: 'redis', modes: one },
]

/** `NDC_NEXT_VERSIONS=16.2,16.4.1`: the newest patch of 16.2, and exactly 16.4.1. */
function chosenRange(minor: string): string | undefined {
  const newest = `~${minor}.0`
  const chosen = (process.env['NDC_NEXT_VERSIONS'] ?? '').split(',').map((version) => version.trim())
  if (chosen.every((version) => version === '')) return newest
  const match = chosen.find((version) => version === minor || version.startsWith(`${minor}.`))
  return match === minor ? newest : match
}

function cellOf(row: Row): Cell[] {
  const {
    minor,
    variant,
    bundler,
    manager,
    driver,
    images,
    deployment,
    keyPrefix,
    hadHandlers,
    builtWithoutUrl,
  } = row
  const next = chosenRange(minor)
  if (next === undefined) return []
  const choice: AppChoice = {
    variant,
    bundler,
    manager,
    next,
    driver,
    options: { ...(images && { images }), ...(keyPrefix && { keyPrefix }) },
    files: hadHandlers ? ownHandlers : {},
    env: {
      ...(deployment && { NEXT_DEPLOYMENT_ID: deployment }),
      ...(builtWithoutUrl && { REDIS_URL: '' }),
    },
  }
  const name = [minor, variant, bundler, manager, driver].join(' ')
  return [{ ...row, name, keyPrefix: keyPrefix ?? 'ndc:store', choice }]
}

export const cells: readonly Cell[] = ROWS.flatMap(cellOf)

/** The first cell like this, or undefined when the chosen versions have none. */
export function findCell(wanted: Partial<Cell>): Cell | undefined {
  return cells.find((cell) =>
    Object.entries(wanted).every(([key, value]) => cell[key as keyof Cell] === value),
  )
}
