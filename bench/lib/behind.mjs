// The part of docs/performance.md that a result writes: every row that is not where a goal wants it, with its cause.
import { missedByCause } from './causes.mjs'
import { formatCheck, verdictOf } from './verdict.mjs'

/** @param {object} result @param {string} file of the result, relative to the page */
export function behindBlock(result, file) {
  const verdict = verdictOf(result)
  const groups = missedByCause(verdict)
  const count = groups.reduce((sum, { checks }) => sum + checks.length, 0)
  const checked = verdict.reduce((sum, { checks }) => sum + checks.length, 0)
  const parts = [
    `${count} of ${checked} figures of [the ${result.mode} run of ${result.date.slice(0, 10)}](${file}) are not where a goal wants them.`,
    'The number is that of the goal; the brackets hold the smallest and the largest ratio of neighbouring repetitions.',
  ]
  for (const { id, cause, tried, checks } of groups) {
    parts.push(
      '',
      id === undefined ? '### No cause is on record' : `### ${title(id)}`,
      '',
      ...(cause === undefined ? [] : [cause, `Tried: ${lowerFirst(tried)}`, '']),
      ...checks.map((check) => `- ${check.goal}: ${formatCheck(check)}`),
    )
  }
  return parts.join('\n')
}

const title = (id) => id[0].toUpperCase() + id.slice(1).replaceAll('-', ' ')
const lowerFirst = (text) => text[0].toLowerCase() + text.slice(1)
