// Which goals a result reaches: computed, so that nobody has to believe a sentence.
import { causeOf, missedByCause, NO_CAUSE } from './causes.mjs'
import { GOALS } from './goals.mjs'
import { compare, number } from './report.mjs'

/**
 * @param {{ rows: object[] }} result
 * @returns {{ goal: number, text: string, status: 'met' | 'not met' | 'not measured', isPart: boolean, checks: object[] }[]}
 */
export function verdictOf({ rows }) {
  const compared = rows.map((row) => ({ ...row, cell: row.cell ?? {}, ratios: row.ratios ?? compare(row) }))
  return GOALS.map(({ text, checksOf }, index) => {
    const checks = checksOf(compared).map((check) =>
      check.met ? check : { ...check, cause: causeOf(index + 1, check.what) },
    )
    const status = checks.length === 0 ? 'not measured' : checks.every(({ met }) => met) ? 'met' : 'not met'
    return { goal: index + 1, text, status, isPart: checks.some(({ isPart }) => isPart === true), checks }
  })
}

const shown = (value) => (typeof value === 'number' ? number(value, 2) : (value ?? 'failed'))

/** What was measured of a goal, in few words: how many checks, and the one furthest from it. */
export function measuredOf({ checks }) {
  if (checks.length === 0) return ''
  const met = checks.filter((check) => check.met).length
  return `${met} of ${checks.length}`
}

export function formatCheck({ what, measured, low, high, wanted, reason, note, isClose }) {
  const between = low === undefined ? '' : ` (${number(low, 2)}-${number(high, 2)})`
  const beside = [...(note ? [note] : []), ...(isClose ? ['within its spread'] : [])].map(
    (text) => `, ${text}`,
  )
  return `${shown(measured)}${between}, wanted ${wanted}${beside.join('')}: ${what}${reason ? `: ${reason}` : ''}`
}

export const statusOf = ({ status, isPart }) => (isPart ? `${status}, measured in part` : status)

/** For a terminal: every goal, and under it what keeps it from being reached, the furthest first; then the causes. */
export function formatVerdict(verdict) {
  const lines = ['Goals']
  for (const goal of verdict) {
    lines.push(`  ${goal.goal}. ${statusOf(goal)} (${measuredOf(goal) || 'nothing'}): ${goal.text}`)
    const missed = goal.checks.filter(({ met }) => !met)
    for (const check of missed.sort(byMeasured))
      lines.push(`       ${formatCheck(check)} [${check.cause ?? NO_CAUSE}]`)
  }
  const groups = missedByCause(verdict)
  if (groups.length > 0) lines.push('Causes')
  for (const { id, cause, tried, checks } of groups)
    lines.push(
      `  ${id ?? NO_CAUSE} (${checks.length})${id === undefined ? '' : `: ${cause} Tried: ${tried}`}`,
    )
  return lines.join('\n')
}

const byMeasured = (one, other) =>
  (typeof one.measured === 'number' ? one.measured : 0) -
  (typeof other.measured === 'number' ? other.measured : 0)
