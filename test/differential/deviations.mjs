// docs/deviations.md, read as rules.
import { readFile } from 'node:fs/promises'

export const DEVIATIONS_FILE = new URL('../../docs/deviations.md', import.meta.url)

/** What a condition may be about; see "How a rule is read" in docs/deviations.md. */
const NAMES = [
  'variant',
  'bundler',
  'driver',
  'preset',
  'redis',
  'do',
  'as',
  'route',
  'differs',
  'stock.cache',
  'ours.cache',
  'stock.status',
  'ours.status',
  'newer',
  'visits',
  'route-visits',
  'prerendered',
  'history',
]

/**
 * @typedef {{ name: string, operator: '=' | '!=' | '~' | '!~', value: string }} Condition
 * @typedef {{ id: string, conditions: Condition[] }} Deviation
 */

export async function readDeviations(file = DEVIATIONS_FILE) {
  return parseDeviations(await readFile(file, 'utf8'))
}

/** Rules are the rows `| id | … | `rule` |` of the document; rows whose last cell is no code are for people. */
export function parseDeviations(markdown) {
  const deviations = []
  for (const line of markdown.split('\n')) {
    const row = /^\|\s*`?([\w-]+)`?\s*\|.*\|\s*`([^`]+)`\s*\|$/.exec(line)
    if (row) deviations.push({ id: row[1], conditions: parseRule(row[2].replaceAll('\\|', '|'), row[1]) })
  }
  const ids = deviations.map(({ id }) => id)
  const twice = ids.find((id, index) => ids.indexOf(id) !== index)
  if (twice) throw new Error(`docs/deviations.md: ${twice} stands there twice`)
  return deviations
}

/** In a table a bar ends the cell, so alternatives are separated by slashes. */
function parseRule(rule, id) {
  return rule.split(',').map((text) => {
    const condition = /^\s*([\w.-]+)\s*(!?[=~])\s*(.*?)\s*$/.exec(text)
    if (!condition || !NAMES.includes(condition[1]))
      throw new Error(`docs/deviations.md: ${id}: cannot read "${text.trim()}"`)
    const [, name, operator, value] = condition
    return { name, operator, value }
  })
}

function holds({ name, operator, value }, circumstances) {
  const actual = circumstances[name] ?? ''
  const positive = operator.endsWith('=')
    ? value
        .split(' / ')
        .map((one) => one.trim())
        .includes(actual)
    : new RegExp(value).test(actual)
  return operator.startsWith('!') ? !positive : positive
}

/** Finds the rule that allows a divergence, and remembers which rules were of use. */
export function createJudge(deviations) {
  const used = new Map()
  return {
    deviationOf(circumstances) {
      const allowed = deviations.find(({ conditions }) =>
        conditions.every((condition) => holds(condition, circumstances)),
      )
      if (allowed) used.set(allowed.id, (used.get(allowed.id) ?? 0) + 1)
      return allowed?.id
    },
    used,
    unused: () => deviations.filter(({ id }) => !used.has(id)).map(({ id }) => id),
  }
}
