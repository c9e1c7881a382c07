// The whole comparison: cells, seeds, divergences, shrinking, verdict.
import { openCell } from './cells.mjs'
import { createJudge, readDeviations } from './deviations.mjs'
import { generate } from './generate.mjs'
import { pairwise } from './matrix.mjs'
import { describeCircumstances, describeSteps } from './report.mjs'
import { runSequence, startOver } from './run-sequence.mjs'
import { SCENARIOS } from './scenarios.mjs'
import { shrink } from './shrink.mjs'

/** Divergences of one kind are shrunk once, and not too many kinds. */
const MAX_SHRUNK = 8
/** Without this, one bug hides behind a hundred reports of it. */
const MAX_PER_SEED = 10

/**
 * @param {ReturnType<import('./arguments.mjs').readArguments>} choice
 * @param {(line: string) => void} log
 * @param {(stop: () => Promise<void>) => void} onOpen is handed what must be stopped on an interrupt
 */
export async function runDifferential(choice, log, onOpen = () => {}) {
  const judge = createJudge(await readDeviations())
  const cells = pairwise(choice.dimensions)
  const totals = { sequences: 0, steps: 0, divergences: 0, kinds: new Map() }
  const seeds = Array.from(
    { length: choice.replay ? 1 : choice.seeds },
    (_, index) => choice.firstSeed + index,
  )

  for (const [index, cell] of cells.entries()) {
    const own = choice.everyCell ? seeds : seeds.filter((_, turn) => turn % cells.length === index)
    if (own.length === 0) continue
    const opened = await openCell(cell, { ...choice, log })
    onOpen(opened.stop)
    try {
      const common = { choice, cell, opened, judge, totals, log }
      for (const sequence of sequencesOf(choice, cell, own)) await runOne({ ...common, ...sequence })
    } catch (error) {
      log(opened.sides.stock.output())
      log(opened.sides.ours.output())
      throw error
    } finally {
      await opened.stop()
    }
  }
  return { ...totals, used: judge.used, unused: judge.unused() }
}

/** What a cell runs: fixed scenarios first, then its seeds. */
function* sequencesOf(choice, cell, seeds) {
  if (!choice.replay) {
    const fitting = Object.entries(SCENARIOS).filter(
      ([, { variant = cell.variant }]) => variant === cell.variant,
    )
    for (const [index, [title, { operations }]] of fitting.entries())
      yield { title, name: `c${index}`, operations, redisHolds: 'history' }
  }
  for (const seed of seeds) {
    const operations = choice.replay ?? generate({ seed, length: choice.operations, variant: cell.variant })
    // Now and then Redis is new as well: what was built before it existed cannot be trusted to be fresh.
    yield {
      title: `seed ${seed}`,
      name: `s${seed}`,
      operations,
      redisHolds: seed % 5 === 4 ? 'nothing' : 'history',
    }
  }
}

async function runOne({ choice, cell, opened, title, name, operations, redisHolds, judge, totals, log }) {
  const { sides, deploy } = opened
  const startedAt = performance.now()
  if (operations.some(needsDeployment) || opened.redisHolds !== redisHolds) await deploy(redisHolds)
  else await startOver(sides)
  opened.redisHolds = redisHolds
  const undocumented = []
  const common = { sides, cell: { ...cell, redis: redisHolds }, deviationOf: judge.deviationOf }
  const steps = await runSequence({
    ...common,
    operations,
    attempt: name,
    isEnough: (step) => {
      if (step.deviation === undefined) undocumented.push(step)
      return undocumented.length >= MAX_PER_SEED
    },
  })
  const allowed = steps.filter(({ deviation }) => deviation).length
  totals.sequences++
  totals.steps += steps.length
  totals.divergences += undocumented.length
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  log(
    `${nameOf(cell)} ${title}: ${steps.length} steps, ${undocumented.length} undocumented, ${allowed} documented (${seconds} s)`,
  )
  if (choice.trace) log(describeSteps(steps))

  for (const step of undocumented) {
    const kind = kindOf(step)
    const known = totals.kinds.get(kind)
    totals.kinds.set(kind, (known ?? 0) + 1)
    if (known !== undefined || totals.kinds.size > MAX_SHRUNK) continue
    log(
      `\nundocumented divergence in ${nameOf(cell)}, ${title}: ${describeCircumstances(step.circumstances)}`,
    )
    const prefix = steps.slice(0, steps.indexOf(step) + 1)
    log(await minimal({ choice, common, deploy: () => deploy(redisHolds), prefix, kind, name }))
    log('')
  }
}

/** Two divergences of the same kind have, most likely, the same cause. */
function kindOf({ circumstances }) {
  const { do: what, as, route, differs } = circumstances
  return [what, as, route, differs, circumstances['stock.cache'], circumstances['ours.cache']].join(' | ')
}

async function minimal({ choice, common, deploy, prefix, kind, name }) {
  if (!choice.shrink) return describeSteps(prefix.slice(-25))
  let attempt = 0
  let best
  const operations = withWaits(prefix)
  const fails = async (candidate) => {
    attempt++
    if (candidate.some(needsDeployment)) await deploy()
    else await startOver(common.sides)
    const steps = await runSequence({
      ...common,
      deviationOf: () => undefined,
      operations: candidate,
      attempt: `${name}x${attempt}`,
      isEnough: (step) => kindOf(step) === kind,
    })
    const found = steps.at(-1)?.circumstances !== undefined && kindOf(steps.at(-1)) === kind
    if (found) best = steps
    return found
  }
  const last = operations.at(-1)
  const related = operations.filter((operation) => isRelated(operation, last))
  const start = (await fails(related)) ? related : (await fails(operations)) ? operations : undefined
  if (!start) return `${describeSteps(prefix.slice(-25))}\n  (did not happen again in ${attempt} attempts)`
  await shrink(start, fails)
  const replay = JSON.stringify(best.map(({ operation }) => operation))
  return `${describeSteps(best)}\n  (${best.length} of ${prefix.length} steps, after ${attempt} attempts)\n  --replay: ${replay}`
}

/** What was prerendered is new only once in the life of a deployment. */
function needsDeployment({ path, page, do: what }) {
  return what === 'image' || /\{p[12]\}|^\/$/.test(path ?? page ?? '')
}

/** Time that passed by itself becomes part of the sequence. */
function withWaits(steps) {
  const operations = []
  for (const [index, { operation, from }] of steps.entries()) {
    const next = steps[index + 1]
    operations.push(operation)
    if (operation.do !== 'wait' && next && next.from - from > 700)
      operations.push({ do: 'wait', ms: Math.round(next.from - from) })
  }
  return operations
}

/** May it have to do with the last operation? Names an id of it, names none at all, or is a wait. */
function isRelated(operation, last) {
  const bases = (one) =>
    [...JSON.stringify(one).matchAll(/\{(?:absent-|brief-|moved-)?([^}"]*)\}|\bp[12]\b/g)].map(
      ([all, base]) => base ?? all,
    )
  const own = bases(operation)
  return own.length === 0 || own.some((base) => bases(last).includes(base))
}

export function nameOf({ variant, bundler, driver, preset }) {
  return `${variant}/${bundler}/${driver}/${preset}`
}
