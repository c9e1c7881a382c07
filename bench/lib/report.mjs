// Results as people read them: ratios first, then what they are made of.
import { ratioOf } from './statistics.mjs'

/** Figures of which less is better: a ratio then says how many times as much the other one takes. */
const LESS_IS_BETTER = new Set([
  'ttfbMs',
  'p50Ms',
  'p99Ms',
  'cpuMsPerOp',
  'bootCpuMs',
  'driverCpuMs',
  'servingCpuMs',
  'renders',
  'queries',
  'propagationMs',
  'versions',
  'recordPerByte',
])

const FIGURES = [
  ['opsPerSecond', '/s', 0],
  ['p50Ms', 'ms p50', 2],
  ['p99Ms', 'ms p99', 2],
  ['ttfbMs', 'ms to first byte', 1],
  ['ttfbP99Ms', 'ms p99 of it', 1],
  ['coldTtfbMs', 'ms to first byte cold', 1],
  ['cpuMsPerOp', 'ms CPU each', 3],
  ['redisCpuMsPerOp', 'ms of Redis', 3],
  ['roundTrips', 'round trips', 1],
  ['wireBytes', 'bytes on the wire', 0],
  ['storedPerByte', 'stored per byte', 2],
  ['recordPerByte', 'of the record per byte', 3],
  ['recordPerCodecByte', 'per byte of the codec alone', 3],
  ['recordPerGivenByte', 'with tags, headers and times as given', 3],
  ['wireMs', 'ms on a wire of 1 Gbit/s', 3],
  ['retainedPerByte', 'held per byte', 2],
  ['renders', 'renders', 0],
  ['queries', 'queries', 0],
  ['versions', 'versions seen', 0],
  ['oldAnswers', 'old answers', 0],
  ['propagationMs', 'ms until everywhere p50', 2],
  ['propagationP99Ms', 'ms p99', 2],
  ['residentMiB', 'MiB resident', 0],
  ['bootCpuMs', 'ms CPU', 0],
  ['driverCpuMs', 'ms CPU of the driver', 0],
  ['servingCpuMs', 'ms CPU until it serves', 0],
  ['growth', 'x of the smallest', 2],
  ['connections', 'connections each', 1],
]

/**
 * How a row's subjects compare with the ones of ours that they are measured against: above 1, ours is ahead.
 *
 * @param {{ figure: string, subjects: Record<string, object> }} row
 */
export function compare({ figure, subjects }) {
  const ratios = {}
  for (const [name, { kind, reference, samples, failed }] of Object.entries(subjects)) {
    const ours = subjects[reference]
    if (kind === 'ours' || failed || !samples || !ours?.samples || ours.failed) continue
    const ratio = ratioOfFigure(figure, ours.samples, samples)
    if (ratio === undefined) continue
    ratios[name] = { against: reference, ...ratio }
    const cpu = ratioOfFigure('cpuMsPerOp', ours.samples, samples)
    if (cpu !== undefined) ratios[name].cpu = cpu
  }
  return ratios
}

/** Of the ratio by throughput and that by CPU; less is enough where they disagree about who is ahead. */
const DISAGREEMENT = 1.25
const DISAGREEMENT_AT_ONE = 1.05

/**
 * The ratio by CPU time where it says something else than that of the row: throughput depends on who competes for the cores, CPU
 * hardly does.
 */
export function differingCpu({ ratio, cpu }) {
  if (cpu === undefined) return undefined
  const [least, most] = [Math.min(ratio, cpu.ratio), Math.max(ratio, cpu.ratio)]
  const tolerated = least < 1 && most >= 1 ? DISAGREEMENT_AT_ONE : DISAGREEMENT
  return most > least * tolerated ? cpu.ratio : undefined
}

function ratioOfFigure(figure, ours, theirs) {
  const [own, other] = [ours, theirs].map((samples) => samples.map((sample) => sample[figure]))
  return LESS_IS_BETTER.has(figure) ? ratioOf(other, own) : ratioOf(own, other)
}

/** How many times as good one subject of a row is as another, by a figure; undefined when one has none. */
export function ratioBetween({ subjects }, one, other, figure) {
  const [own, theirs] = [subjects[one], subjects[other]]
  if (!own?.samples || own.failed || !theirs?.samples || theirs.failed) return undefined
  return ratioOfFigure(figure, own.samples, theirs.samples)
}

export function formatRow(row) {
  const ratios = row.ratios ?? compare(row)
  const lines = [row.name]
  const names = Object.keys(row.subjects)
  const width = Math.max(...names.map((name) => name.length))
  for (const name of names) {
    const { failed, median } = row.subjects[name]
    const ratio = ratios[name]
    const shown =
      failed || !ratio ? '' : `${spread(ratio)}${ratio.cpu ? `, CPU ${number(ratio.cpu.ratio, 2)}` : ''}`
    lines.push(
      `  ${shown.padEnd(30)} ${name.padEnd(width)}  ${failed ? `failed: ${failed}` : figuresOf(median)}`,
    )
  }
  return lines.join('\n')
}

const spread = ({ ratio, low, high }) => `${number(ratio, 2)} (${number(low, 2)}-${number(high, 2)})`

export const EXPLANATION =
  'First column: how many times as good ours is, by the figure that the row is about (medians of interleaved\n' +
  'repetitions, and between what the single ones lie); below 1, ours is behind. CPU: the same of\n' +
  'the CPU time of one operation. Compare nothing across runs.'

function figuresOf(median = {}) {
  return FIGURES.flatMap(([figure, unit, digits]) =>
    median[figure] === undefined ? [] : [`${number(median[figure], digits)} ${unit}`],
  ).join(', ')
}

export function number(value, digits) {
  if (!Number.isFinite(value)) return String(value)
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
