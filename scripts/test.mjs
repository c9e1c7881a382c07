// `npm test`: everything from a fresh clone to the last line, which reads "N passed, N failed".
//
//   npm test                          every suite, after a build and a type check
//   npm test -- unit integration      some suites (also --only unit)
//   npm test -- e2e -- wrapper        what follows the second -- goes to vitest
//   npm test -- unit --no-build       leaves dist/ as it is
//
// Uses nothing but Node.js until the dependencies are installed. The counts are vitest's own, added up over its
// runs; whatever else goes wrong (a failed build, a run that crashed, hung or found no test) counts as one failure.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureDependencies, nodeProblem } from './install.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const minute = 60_000
const startedAt = Date.now()
/** All suites together; CI gives up after 90 minutes without having seen the counts. */
const totalMs = Number(process.env.NDC_TEST_MINUTES ?? 80) * minute

/** In the order in which they run. `limitMs`: a run that takes longer hangs. */
const suites = {
  unit: { limitMs: 10 * minute },
  types: { limitMs: 5 * minute },
  contract: { limitMs: 20 * minute },
  integration: { limitMs: 25 * minute, needsRedis: true },
  history: { limitMs: 15 * minute, needsRedis: true },
  e2e: { limitMs: 75 * minute, needsRedis: true },
}

/** Of each failed test, at the end of the output: a log may be kept by its tail alone. */
const failureLines = 25

const totals = { passed: 0, failed: 0, skipped: 0 }
const summary = []
const failures = []

function count(name, { passed = 0, failed = 0, skipped = 0, note = '' }) {
  totals.passed += passed
  totals.failed += failed
  totals.skipped += skipped
  summary.push({ name, passed, failed, skipped, note })
}

function parseArguments(argv) {
  const chosen = []
  let build = true
  for (let index = 0; index < argv.length; index += 1) {
    const argument = argv[index]
    if (argument === '--') return { chosen, build, forVitest: argv.slice(index + 1) }
    if (argument === '--no-build') build = false
    else if (argument === '--only') chosen.push(...(argv[++index] ?? '').split(','))
    else if (argument.startsWith('--only=')) chosen.push(...argument.slice('--only='.length).split(','))
    else chosen.push(argument)
  }
  return { chosen, build, forVitest: [] }
}

/** The child and everything it started that is still there: it leads a process group of its own. */
function killGroup(child, signal) {
  try {
    process.kill(-child.pid, signal)
  } catch {
    // Nothing is left of the group.
  }
}

let current
let interrupted = false
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (interrupted && current) killGroup(current, 'SIGKILL')
    interrupted = true
    if (current) killGroup(current, signal)
  })
}

/** Runs a Node.js program with its output streamed. Resolves with what went wrong, if anything did. */
function run(script, args, limitMs) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [script, ...args], {
      cwd: root,
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1' },
    })
    current = child
    let hung = false
    const timer = setTimeout(() => {
      hung = true
      killGroup(child, 'SIGKILL')
    }, limitMs)
    child.on('error', (error) => resolve(`could not start: ${error.message}`))
    child.on('exit', (code, signal) => {
      clearTimeout(timer)
      current = undefined
      killGroup(child, 'SIGKILL')
      if (hung) resolve(`still running after ${Math.round(limitMs / minute)} minutes`)
      else if (signal) resolve(`ended by ${signal}`)
      else resolve(code === 0 ? undefined : `exit code ${code}`)
    })
  })
}

async function step(name, script, args) {
  console.log(`\n=== ${name}`)
  const problem = interrupted ? 'interrupted' : await run(script, args, 10 * minute)
  if (problem !== undefined) count(name, { failed: 1, note: problem })
  return problem === undefined
}

/** What vitest wrote down of a run, or undefined when it did not get that far. */
function readReport(file) {
  try {
    const report = JSON.parse(readFileSync(file, 'utf8'))
    for (const { name, message, status, assertionResults } of report.testResults) {
      const failed = assertionResults.filter((each) => each.status === 'failed')
      for (const { fullName, failureMessages } of failed)
        failures.push({ title: `${relative(root, name)} > ${fullName}`, text: failureMessages.join('\n') })
      if (status === 'failed' && failed.length === 0)
        failures.push({ title: relative(root, name), text: message })
    }
    // A file that could not be loaded, or whose hooks failed, has no failed test to be counted by.
    const brokenFiles = report.testResults.filter(
      ({ status, assertionResults }) =>
        status === 'failed' && !assertionResults.some((each) => each.status === 'failed'),
    ).length
    return {
      passed: report.numPassedTests,
      failed: report.numFailedTests + brokenFiles,
      skipped: report.numPendingTests + report.numTodoTests,
    }
  } catch {
    return undefined
  }
}

async function runSuite(name, folder, forVitest) {
  console.log(`\n=== ${name}`)
  if (interrupted) return count(name, { failed: 1, note: 'interrupted' })
  const reportFile = join(folder, `${name}.json`)
  const limitMs = Math.min(suites[name].limitMs, totalMs - (Date.now() - startedAt))
  if (limitMs <= 0) return count(name, { failed: 1, note: 'no time left' })
  const problem = await run(
    join(root, 'node_modules', 'vitest', 'vitest.mjs'),
    [
      'run',
      `--project=${name}`,
      `--reporter=${['integration', 'history', 'e2e'].includes(name) ? 'verbose' : 'default'}`,
      '--reporter=json',
      `--outputFile.json=${reportFile}`,
      ...(process.env.GITHUB_ACTIONS ? ['--reporter=github-actions'] : []),
      ...forVitest,
    ],
    limitMs,
  )
  const report = readReport(reportFile)
  if (report === undefined) return count(name, { failed: 1, note: problem ?? 'no report' })
  if (report.passed + report.failed === 0) return count(name, { ...report, failed: 1, note: 'no test ran' })
  if (problem !== undefined && report.failed === 0)
    return count(name, { ...report, failed: 1, note: problem })
  return count(name, report)
}

async function ensureRedis() {
  const { ensureRedisServer } = await import('./lib/redis.mjs')
  await ensureRedisServer()
}

async function main() {
  const { chosen, build, forVitest } = parseArguments(process.argv.slice(2))
  const unknown = chosen.filter((name) => !Object.hasOwn(suites, name))
  if (unknown.length > 0) {
    const note = `there is no such suite; there are ${Object.keys(suites).join(', ')}`
    return count(unknown.join(', '), { failed: 1, note })
  }
  const problem = nodeProblem()
  if (problem !== undefined) return count('node', { failed: 1, note: problem })

  const selected = Object.keys(suites).filter((name) => chosen.length === 0 || chosen.includes(name))
  ensureDependencies()
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  if (chosen.length === 0) await step('typecheck', tsc, ['-p', 'tsconfig.test.json'])
  if (build || !existsSync(join(root, 'dist'))) await step('build', join(root, 'scripts', 'build.mjs'), [])
  if (selected.some((name) => suites[name].needsRedis)) {
    try {
      await ensureRedis()
    } catch (error) {
      count('redis', { failed: 1, note: error.message })
    }
  }
  const folder = mkdtempSync(join(tmpdir(), 'ndc-test-'))
  try {
    for (const name of selected) await runSuite(name, folder, forVitest)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function printSummary() {
  for (const { title, text } of failures) {
    const lines = text.split('\n')
    console.log(`\n=== failed: ${title}`)
    console.log(lines.slice(0, failureLines).join('\n'))
    if (lines.length > failureLines) console.log(`(${lines.length - failureLines} more lines, above)`)
  }
  console.log('')
  const width = Math.max(...summary.map(({ name }) => name.length))
  for (const { name, passed, failed, skipped, note } of summary) {
    const parts = [`${passed} passed`, `${failed} failed`, ...(skipped > 0 ? [`${skipped} skipped`] : [])]
    console.log(`${name.padEnd(width)}  ${parts.join(', ')}${note === '' ? '' : `  (${note})`}`)
  }
  const seconds = Math.round((Date.now() - startedAt) / 1000)
  console.log(`${Math.floor(seconds / 60)} min ${seconds % 60} s`)
  console.log(`${totals.passed} passed, ${totals.failed} failed`)
}

try {
  await main()
} catch (error) {
  count('setup', { failed: 1, note: error instanceof Error ? error.message : String(error) })
}
if (totals.passed === 0 && totals.failed === 0) count('tests', { failed: 1, note: 'nothing ran' })
printSummary()
process.exitCode = totals.failed === 0 ? 0 : 1
