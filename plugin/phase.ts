import { basename } from 'node:path'
import type { Variables } from '../src/environment'

/**
 * Why the configuration is being evaluated. `unknown`: by something that is not Next.js (a linter, an
 * editor, a test runner), or that cannot be told from it; nothing outside the returned object may change.
 */
export type Phase = 'build' | 'dev' | 'start' | 'unknown'

/** Tells the worker processes of a build what they belong to: `--debug-prerender` makes them look like `next dev`. */
export const PHASE_VARIABLE = 'NEXT_DISTRIBUTED_CACHE_PHASE'

const byNextPhase: Readonly<Record<string, Phase>> = {
  'phase-production-build': 'build',
  'phase-development-server': 'dev',
  'phase-production-server': 'start',
}

const byCommand: Readonly<Record<string, Phase>> = { build: 'build', dev: 'dev', start: 'start' }

/** The subcommand when this process is the `next` command line. */
function nextCommand(argv: readonly string[]): string | undefined {
  const script = basename(argv[1] ?? '')
  return script === 'next' || script === 'next.js' ? argv[2] : undefined
}

/**
 * @param nextPhase what Next passes to a function config; an object config gets no such thing, and the
 *   process has to be looked at
 */
export function detectPhase(
  nextPhase: string | undefined,
  variables: Variables,
  argv: readonly string[],
): Phase {
  if (nextPhase !== undefined) return byNextPhase[nextPhase] ?? 'unknown'
  const command = nextCommand(argv)
  if (command !== undefined) return byCommand[command] ?? 'unknown'
  if (variables['NEXT_PHASE'] === 'phase-production-build') return 'build'
  if (variables[PHASE_VARIABLE] === 'build') return 'build'
  if (variables['__NEXT_DEV_SERVER'] === '1' || variables['NODE_ENV'] === 'development') return 'dev'
  return variables['NODE_ENV'] === 'production' ? 'start' : 'unknown'
}
