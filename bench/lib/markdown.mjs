// What README.md shows of a result: who is how many times as good, what a fleet does, which goals are reached.
import { formatLoad, wholeLoad } from './load-watch.mjs'
import { differingCpu, number } from './report.mjs'
import { measuredOf, statusOf, verdictOf } from './verdict.mjs'

const KiB = 1024
const handler = (op, bytes, api) => (row) =>
  row.level === 'handler' &&
  row.cell.op === op &&
  row.cell.bytes === bytes &&
  row.cell.network === 'loopback' &&
  row.cell.tags.length === 5 &&
  (api === undefined || row.cell.api === api)
const application = (row) => row.level === 'application'
/** One replica has nobody to agree with. */
const crowds = ({ level, cell }) =>
  level === 'fleet' && (cell.scenario ?? '').endsWith('page') && cell.replicas > 1

const busy = (op, bytes) => (row) => handler(op, bytes)(row) && row.cell.concurrency === 64
const alone = (op, bytes) => (row) => handler(op, bytes)(row) && row.cell.concurrency === 1

/** Rows of the first table, in this order: what a quick run has, too. */
const HEADLINES = [
  busy('read hit', KiB),
  busy('read hit', 50 * KiB),
  busy('conditional read', 500 * KiB),
  busy('L1 hit', 50 * KiB),
  alone('read miss', 50 * KiB),
  alone('write', 50 * KiB),
  alone('invalidate', 50 * KiB),
  application,
]
export const README_CHARTS = [
  (row) => handler('read hit', 50 * KiB, 'use cache')(row) && row.cell.concurrency === 64,
  (row) => handler('L1 hit', 50 * KiB, 'cacheHandler')(row) && row.cell.concurrency === 64,
  (row) => application(row) && row.figure === 'opsPerSecond',
  (row) => crowds(row) && row.cell.replicas === 3 && row.cell.scenario === 'cold page',
]

const UNITS = { opsPerSecond: '/s', ttfbMs: 'ms to first byte' }
const table = (head, rows) =>
  [head, head.map((_, index) => (index === 0 ? '---' : '---:')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n')

/** @param {{ charts: { title: string, path: string }[], file: string }} links relative to README.md */
export function readmeBlock(result, { charts, file }) {
  const { rows, machine, date, mode } = result
  const of = `${machine.processor}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}; Node.js ${machine.node}, Redis ${machine.redis}, Next.js ${machine.next}`
  const load = wholeLoad(result.levels)
  const during = load === undefined ? '' : `; ${formatLoad(load)}`
  const parts = [
    `Measured on ${date.slice(0, 10)} (${mode} run; ${of}; load before: ${machine.loadBefore}${during}): [everything](${file}),`,
    `[how](bench/README.md), [how to read it](docs/performance.md). Packages: ${versionsOf(result)}.`,
  ]
  const chosen = HEADLINES.flatMap((is) => rows.filter(is))
  if (chosen.length > 0)
    parts.push(
      '',
      'How many times as good this package is, the smallest and the largest ratio of neighbouring repetitions in brackets; below 1 it is behind. CPU: the ratio by CPU time of one operation, where it says something else.',
      '',
      ratioTable(chosen),
    )
  const fleets = rows.filter(crowds)
  if (fleets.length > 0)
    parts.push(
      '',
      'Fifty visitors at once: renders / queries at the origin / versions seen.',
      '',
      fleetTable(fleets),
    )
  parts.push(
    '',
    goalTable(verdictOf(result)),
    '',
    'What is not reached, row by row, why, and what was tried: [rows that are behind](docs/performance.md#rows-that-are-behind).',
  )
  if (charts.length > 0) parts.push('', charts.map(({ title, path }) => `![${title}](${path})`).join('\n'))
  return parts.join('\n')
}

const versionsOf = ({ versions }) =>
  Object.entries(versions)
    .filter(([name]) => name.startsWith('@'))
    .map(([name, version]) => `\`${name}\` ${version}`)
    .join(', ')

const BARE = 'bare driver'
const CONTRACT = 'contract alone'

/** One column for each package, with and without local memory; drivers other than the first are in the result. */
const columnOf = (name, { kind }) => {
  if (kind === 'limit') return name.endsWith(' redis') ? undefined : BARE
  if (kind === 'contract') return name.endsWith(' redis') ? undefined : CONTRACT
  if (kind === 'stock') return 'Next.js alone'
  return kind === 'peer' ? name.split(/[/,]/)[0] : undefined
}

function ratioTable(rows) {
  const columns = new Set(
    rows.flatMap(({ subjects }) => Object.entries(subjects).map(([name, entry]) => columnOf(name, entry))),
  )
  columns.delete(undefined)
  const order = (column) => [BARE, CONTRACT, 'Next.js alone', column].indexOf(column)
  const sorted = [...columns].sort((a, b) => order(a) - order(b))
  return table(
    ['', 'this package', ...sorted],
    rows.map((row) => [
      (application(row) ? `${row.level}: ${row.name}` : row.name).replace(', loopback', ''),
      ownFigures(row),
      ...sorted.map((column) => ratiosOf(row, column)),
    ]),
  )
}

function ownFigures({ figure, subjects }) {
  const digits = figure === 'opsPerSecond' ? 0 : 1
  return Object.entries(subjects)
    .filter(([name, { kind }]) => kind === 'ours' && !name.includes(', redis'))
    .map(([name, { failed, median }]) => {
      const shown = failed ? 'failed' : `${number(median[figure], digits)} ${UNITS[figure] ?? ''}`
      return `${name.split(',')[0]}: ${shown}`
    })
    .join('<br>')
}

function ratiosOf({ subjects, ratios }, column) {
  return Object.entries(subjects)
    .filter(([name, entry]) => columnOf(name, entry) === column)
    .map(([name, { failed }]) => {
      if (failed) return 'failed'
      const ratio = ratios[name]
      if (ratio === undefined) return ''
      const l1 = / L1 (on|off)$/.exec(name)?.[0] ?? ''
      return `**${number(ratio.ratio, 2)}** (${number(ratio.low, 2)}-${number(ratio.high, 2)})${cpuOf(ratio)}${l1}`
    })
    .join('<br>')
}

function cpuOf(ratio) {
  const cpu = differingCpu(ratio)
  return cpu === undefined ? '' : `, CPU ${number(cpu, 2)}`
}

function fleetTable(rows) {
  const names = [...new Set(rows.flatMap(({ subjects }) => Object.keys(subjects)))]
  return table(
    ['', ...rows.map(({ name }) => name)],
    names.map((name) => [
      name,
      ...rows.map(({ subjects }) => {
        const { failed, median } = subjects[name] ?? {}
        if (failed) return 'failed'
        return median === undefined ? '' : `${median.renders} / ${median.queries} / ${median.versions}`
      }),
    ]),
  )
}

const goalTable = (verdict) =>
  table(
    ['goal', 'reached', 'figures that do'],
    verdict.map((goal) => [`${goal.goal}. ${goal.text}`, `**${statusOf(goal)}**`, measuredOf(goal)]),
  )
