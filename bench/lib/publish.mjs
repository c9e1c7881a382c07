// Where results go: the file of a run, its charts, and what README.md shows of one.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { behindBlock } from './behind.mjs'
import { chartOfRow } from './chart.mjs'
import { README_CHARTS, readmeBlock } from './markdown.mjs'

const README = fileURLToPath(new URL('../../README.md', import.meta.url))
const PAGE = fileURLToPath(new URL('../../docs/performance.md', import.meta.url))
const CHARTS = fileURLToPath(new URL('../results/charts', import.meta.url))

const UNITS = {
  opsPerSecond: 'per second',
  ttfbMs: 'ms to first byte',
  propagationMs: 'ms',
  p50Ms: 'ms',
  servingCpuMs: 'ms CPU',
  renders: 'renders',
  queries: 'queries',
  recordPerByte: 'bytes per byte',
}

export const slugOf = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, '-')

export async function writeResult(file, result) {
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, `${JSON.stringify(result, null, 1)}\n`)
}

/** One beside the result for each row that has something to compare. */
export async function writeRowCharts(folder, { rows, machine }) {
  await mkdir(folder, { recursive: true })
  for (const row of rows) {
    const svg = chartOfRow(row, machine, UNITS)
    if (svg !== undefined) await writeFile(join(folder, `${slugOf(`${row.level} ${row.name}`)}.svg`), svg)
  }
}

/** The charts, the tables of README.md and the rows behind, which are always those of one result. @returns what was written */
export async function publish(result, file) {
  await rm(CHARTS, { recursive: true, force: true })
  const rows = README_CHARTS.flatMap((is) => result.rows.filter(is))
  await writeRowCharts(CHARTS, { ...result, rows })
  const charts = rows
    .filter((row) => chartOfRow(row, result.machine, UNITS) !== undefined)
    .map((row) => ({
      title: `${row.level}: ${row.name}`,
      path: `bench/results/charts/${slugOf(`${row.level} ${row.name}`)}.svg`,
    }))
  const block = readmeBlock(result, { charts, file: `bench/results/${basename(file)}` })
  await rewrite(README, 'bench', block)
  await rewrite(PAGE, 'behind', behindBlock(result, `../bench/results/${basename(file)}`))
  return [README, PAGE, CHARTS]
}

async function rewrite(file, name, block) {
  await writeFile(file, replaceBlock(await readFile(file, 'utf8'), block, name))
}

const markersOf = (name) => [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`]

/** @throws Error when the markers are not there, each once and in this order */
export function replaceBlock(text, block, name) {
  const [begin, end] = markersOf(name)
  const [before, after] = aroundBlock(text, name)
  return `${before}${begin}\n${block}\n${end}${after}`
}

/** @returns {string} what stands between the markers */
export function blockIn(text, name) {
  const [begin, end] = markersOf(name)
  const [before, after] = aroundBlock(text, name)
  return text.slice(before.length + begin.length + 1, text.length - after.length - end.length - 1)
}

function aroundBlock(text, name) {
  const [begin, end] = markersOf(name)
  const [before, rest, ...more] = text.split(begin)
  const [, after, ...others] = rest?.split(end) ?? []
  if (after === undefined || more.length + others.length > 0)
    throw new Error(`The page needs one ${begin} and one ${end} after it.`)
  return [before, after]
}
