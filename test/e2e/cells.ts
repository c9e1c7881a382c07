import type { Mode } from '../support/e2e-fleet'
import type { AppChoice } from '../support/e2e-tools'

/** What a minor version of Next.js can and cannot do: docs/next-versions.md says it in words. */
export interface Abilities {
  /** Takes `cacheControl` from `get()`: a replica knows the life of a path that another one rendered. */
  readonly sharesLife: boolean
}

const ABILITIES: Readonly<Record<string, Abilities>> = {
  '16.2': { sharesLife: false },
  '16.3': { sharesLife: false },
  '16.4': { sharesLife: true },
}

export interface Cell extends AppChoice {
  /** Short and unique, for `vitest -t`. */
  readonly name: string
  readonly minor: string
  readonly abilities: Abilities
  /** How its replicas are started: the whole core runs for each. */
  readonly modes: readonly Mode[]
  readonly images: boolean
  /** Told apart by NEXT_DEPLOYMENT_ID instead of BUILD_ID. */
  readonly deployment: string | undefined
}

interface Row extends Omit<AppChoice, 'next' | 'options' | 'env'> {
  readonly minor: string
  readonly images?: boolean
  readonly deployment?: string
}

/**
 * The matrix. Together the rows cover, with two replicas each, every pair of bundler and way to start (rows
 * of 16.4 are run by `next start` and as standalone, the others as standalone), both variants of the store,
 * every package manager and both drivers, and on each minor version everything that the store uses.
 */
const ROWS: readonly Row[] = [
  { minor: '16.4', variant: 'components', bundler: 'turbopack', manager: 'npm', driver: 'ioredis' },
  {
    minor: '16.4',
    variant: 'classic',
    bundler: 'webpack',
    manager: 'npm',
    driver: 'redis',
    deployment: 'blue',
  },
  {
    minor: '16.4',
    variant: 'classic',
    bundler: 'turbopack',
    manager: 'pnpm',
    driver: 'ioredis',
    images: true,
    deployment: 'green',
  },
  { minor: '16.4', variant: 'components', bundler: 'webpack', manager: 'workspace', driver: 'redis' },
  { minor: '16.3', variant: 'components', bundler: 'turbopack', manager: 'npm', driver: 'redis' },
  { minor: '16.3', variant: 'classic', bundler: 'webpack', manager: 'npm', driver: 'ioredis' },
  { minor: '16.2', variant: 'components', bundler: 'webpack', manager: 'npm', driver: 'ioredis' },
  { minor: '16.2', variant: 'classic', bundler: 'turbopack', manager: 'npm', driver: 'redis' },
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
  const { minor, images = false, deployment, ...choice } = row
  const next = chosenRange(minor)
  const abilities = ABILITIES[minor]
  if (next === undefined || abilities === undefined) return []
  const name = [minor, row.variant, row.bundler, row.manager, row.driver].join(' ')
  return [
    {
      ...choice,
      name,
      minor,
      abilities,
      modes: minor === '16.4' ? ['standalone', 'start'] : ['standalone'],
      images,
      deployment,
      next,
      options: images ? { images } : {},
      env: deployment === undefined ? {} : { NEXT_DEPLOYMENT_ID: deployment },
    },
  ]
}

export const cells: readonly Cell[] = ROWS.flatMap(cellOf)

/** The part of a cell that decides how the app is built. */
export function choiceOf({ variant, bundler, manager, next, driver, options, files, env }: Cell): AppChoice {
  return {
    variant,
    bundler,
    manager,
    next,
    driver,
    options: options ?? {},
    files: files ?? {},
    env: env ?? {},
  }
}

/** The first cell like this, or undefined when the chosen versions have none. */
export function findCell(wanted: Partial<Cell>): Cell | undefined {
  return cells.find((cell) =>
    Object.entries(wanted).every(([key, value]) => cell[key as keyof Cell] === value),
  )
}
