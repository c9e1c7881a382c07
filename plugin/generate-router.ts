import { join } from 'node:path'
import { ROUTER_FILE } from '../src/wiring'
import { type Closure, compileClosure, requirePath } from './fallback/compile-closure'
import { traceClosure } from './fallback/trace-closure'
import type { PreviousHandlers } from './previous-handlers'
import { type RouterContents, routerText, writeIfChanged } from './router-file'
import { addToTrace } from './trace-manifests'

/** What one application's router is made of. */
export interface RouterPlan extends Omit<RouterContents, 'fallback'> {
  /** Files, absolute. */
  readonly previous: PreviousHandlers
  readonly projectDirectory: string
  /** Where the router goes, with everything that is generated for it. */
  readonly directory: string
}

/** Writes the router and the compiled fallback modules. Synchronous: an object config has no time to wait. */
export function generateRouter(plan: RouterPlan): { router: string; closure: Closure } {
  const { directory, projectDirectory } = plan
  const router = join(directory, ROUTER_FILE)
  const kinds = Object.keys(plan.previous) as (keyof PreviousHandlers)[]
  const files = kinds.map((kind) => plan.previous[kind]!)
  const closure = compileClosure(files, projectDirectory, join(directory, 'fallback'))
  const fallback = Object.fromEntries(
    kinds.map((kind, index) => [kind, requirePath(router, closure.roots[index]!)]),
  )
  writeIfChanged(router, routerText({ ...plan, fallback }))
  return { router, closure }
}

/**
 * The same, into the output of a build, and from there into standalone. Beside the router, which is the same in
 * every build, stands when this build began: what it prerenders knows of no invalidation after that.
 *
 * @param startedAt [ms]
 */
export async function generateRouterForBuild(
  plan: RouterPlan,
  distDir: string,
  root: string,
  startedAt: number,
): Promise<void> {
  const { router, closure } = generateRouter(plan)
  const build = join(plan.directory, 'build.json')
  writeIfChanged(build, `${JSON.stringify({ startedAt })}\n`)
  addToTrace(distDir, [router, build, ...(await traceClosure(closure, plan.projectDirectory, root))])
}
