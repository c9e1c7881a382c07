// What this package wants to reach, and what a result says about it. Pure: rows in, checks out.
//
// A check: { what, measured, wanted, met, low?, high?, isClose?, note?, isPart? }. `isClose`: the brackets hold what is wanted.
// `isPart`: measured at less than the goal names.
import { differingCpu, number, ratioBetween } from './report.mjs'

const KiB = 1024
const LOAD = 64
const STORED_AT_MOST = 1.05
const READS = ['read hit', 'conditional read', 'L1 hit']

const isCrowd = ({ scenario = '' }) => scenario.endsWith('page')
const namesOf = ({ subjects }, wanted) =>
  Object.entries(subjects).flatMap(([name, { kind }]) => (kind === wanted ? [name] : []))
const close = (met, isClose) => (!met && isClose ? { isClose } : {})
const atLeast = (what, compared, wanted) => {
  const { ratio, low, high } = compared
  const met = ratio >= wanted
  const cpu = differingCpu(compared)
  return {
    what,
    measured: ratio,
    low,
    high,
    wanted: `at least ${wanted}`,
    met,
    ...close(met, high >= wanted),
    ...(cpu !== undefined && { note: `CPU ${number(cpu, 2)}` }),
  }
}
const atMost = (what, measured, wanted, more = {}) => {
  const met = measured <= wanted
  const figures = { what, measured, wanted: `at most ${wanted}`, met }
  return { ...figures, ...close(met, more.low <= wanted), ...more }
}
const failedCheck = (what, reason) => ({ what, measured: undefined, wanted: 'a figure', met: false, reason })

/** What a row compares with ours, of one kind; a subject that gave no figure is no comparison. */
const against = (row, kind) =>
  namesOf(row, kind).flatMap((name) => {
    const ratio = row.ratios[name]
    return ratio === undefined ? [] : [{ name, ratio }]
  })

function ofLimit(rows) {
  const wantedOf = ({ op, bytes, concurrency, network }) => {
    if (concurrency !== LOAD || network !== 'loopback') return undefined
    if (op === 'read hit') return { [KiB]: 0.7, [50 * KiB]: 0.85 }[bytes]
    return op === 'conditional read' && bytes >= 500 * KiB ? 5 : undefined
  }
  return rows
    .filter(({ level, cell }) => level === 'handler' && wantedOf(cell) !== undefined)
    .flatMap((row) =>
      against(row, 'limit').map(({ name, ratio }) => {
        const check = atLeast(`${row.name}: ${name}`, ratio, wantedOf(row.cell))
        const leaves = contractOf(row, name)
        if (leaves === undefined) return check
        const note = [
          `the contract alone ${number(leaves.ratio, 2)}`,
          ...(check.note ? [check.note] : []),
        ].join(', ')
        return { ...check, note }
      }),
    )
}

/** What the contract leaves of a limit: what whoever does only what nobody can leave out reaches of it, by the same driver. */
function contractOf(row, limit) {
  const driverOf = (name) => name.split(' ').at(-1)
  const alone = namesOf(row, 'contract').find((name) => driverOf(name) === driverOf(limit))
  return alone === undefined ? undefined : ratioBetween(row, alone, limit, row.figure)
}

const ofMemory = (rows) =>
  rows
    .filter(({ level, cell }) => level === 'handler' && cell.op === 'L1 hit')
    .flatMap((row) =>
      against(row, 'stock').map(({ name, ratio }) => atLeast(`${row.name}: ${name}`, ratio, 0.9)),
    )

const ofPeers = (rows) =>
  rows
    .filter(({ level }) => level === 'handler' || level === 'application')
    .flatMap((row) => {
      const { op, bytes } = row.cell
      const wanted = READS.includes(op) && bytes >= 50 * KiB ? 2 : 1
      return against(row, 'peer').flatMap(({ name, ratio }) => {
        const checks = [atLeast(`${row.level}: ${row.name}: ${name}`, ratio, wanted)]
        if (row.level === 'application' && ratio.cpu)
          checks.push(atLeast(`${row.level}: ${row.name}, CPU: ${name}`, ratio.cpu, 1))
        return checks
      })
    })

const ofApplications = (rows) =>
  rows
    .filter(({ level }) => level === 'application')
    .flatMap((row) =>
      [
        ['l1-pubsub', 0.95],
        ['strict', 0.8],
      ].flatMap(([ours, wanted]) =>
        [row.figure, 'cpuMsPerOp'].flatMap((figure) =>
          namesOf(row, 'stock').flatMap((stock) => {
            const ratio = ratioBetween(row, ours, stock, figure)
            const by = figure === 'cpuMsPerOp' ? 'CPU' : figure === 'ttfbMs' ? 'first byte' : 'throughput'
            return ratio === undefined ? [] : [atLeast(`${row.name}, ${by}: ${ours}`, ratio, wanted)]
          }),
        ),
      ),
    )

const ofStorage = (rows) =>
  rows
    .filter(({ level, cell }) => level === 'storage' && cell.op === 'stored')
    .flatMap((row) =>
      Object.entries(row.subjects).flatMap(([name, { isDefault, median, failed }]) => {
        if (!isDefault && name !== 'no compression') return []
        const what = `${row.name}: ${name}${isDefault ? ' (default)' : ''}`
        if (failed) return [failedCheck(what, failed)]
        // The stricter figure beside it: of a small value, tags and times are a part that nobody can leave out.
        const { recordPerCodecByte: strict, recordPerGivenByte: given = strict } = median
        const note = `${number(strict, 2)} of the value alone`
        return [atMost(what, given, STORED_AT_MOST, { note })]
      }),
    )

const MILLION = 1_000_000

function ofScale(rows) {
  const wantedOf = { 'entries under the tag': 1.2, 'foreign keys': 1.1 }
  const largest = new Map()
  for (const row of rows.filter(({ level, cell }) => level === 'scale' && cell.what in wantedOf)) {
    for (const name of namesOf(row, 'ours')) {
      const { api, what } = row.cell
      const key = `${api} ${what} ${name}`
      if (row.count > (largest.get(key)?.row.count ?? 0)) largest.set(key, { row, name })
    }
  }
  return [...largest.values()].map(({ row, name }) => {
    const { growth, failed } = row.subjects[name]
    const what = `${row.name}: ${name}`
    if (failed || !growth) return failedCheck(what, failed ?? 'no figure')
    const { ratio, low, high } = growth
    return atMost(what, ratio, wantedOf[row.cell.what], { low, high, isPart: row.count < MILLION })
  })
}

const FLEET = { renders: 1, queries: 50, versions: 1 }

/** Counts are no matter of medians: one render too many is one too many. */
function ofFleets(rows) {
  const measured = rows.filter(({ level, cell }) => level === 'fleet' && isCrowd(cell))
  const checks = measured.flatMap((row) =>
    namesOf(row, 'ours').map((name) => {
      const { samples, failed } = row.subjects[name]
      const what = `${row.name}: ${name}`
      if (failed) return failedCheck(what, failed)
      // Who meets a stale page may see the old version or the new one.
      const figures = Object.keys(FLEET).filter(
        (figure) => figure !== 'versions' || row.cell.scenario !== 'stale page',
      )
      const worst = (figure) => Math.max(...samples.map((sample) => sample[figure]))
      return {
        what,
        measured: figures.map((figure) => `${worst(figure)} ${figure}`).join(', '),
        wanted: figures.map((figure) => `${FLEET[figure]} ${figure}`).join(', '),
        met: figures.every((figure) => samples.every((sample) => sample[figure] === FLEET[figure])),
      }
    }),
  )
  const isPart = ![3, 10].every((replicas) => measured.some(({ cell }) => cell.replicas === replicas))
  return isPart ? checks.map((check) => ({ ...check, isPart })) : checks
}

function ofStart(rows) {
  const row = rows.find(({ level, cell }) => level === 'handler' && cell.op === 'start')
  if (row === undefined) return []
  return namesOf(row, 'ours').flatMap((name) => {
    const { median, failed } = row.subjects[name]
    if (failed) return [failedCheck(name, failed)]
    return [
      atMost(`${name}: ms of CPU`, median.bootCpuMs, 40),
      atMost(`${name}: connections`, median.connections, name.startsWith('strict') ? 1 : 2),
    ]
  })
}

export const GOALS = [
  {
    text: 'a read hit of strict, of what the bare driver reaches: 0.85 at 50 KB, 0.7 at 1 KB; a conditional read of 500 KB and 2 MB: 5 times',
    checksOf: ofLimit,
  },
  { text: "an L1 hit, of Next's handler in memory: 0.9, in both interfaces", checksOf: ofMemory },
  {
    text: 'other packages: 2 times in read hits of 50 KB and more, ahead in every other row of handlers and applications',
    checksOf: ofPeers,
  },
  {
    text: 'applications, of stock by throughput and by CPU: l1-pubsub 0.95, strict 0.8',
    checksOf: ofApplications,
  },
  {
    text: 'stored bytes: at most 1.05 of what Next.js hands over (value, tags, headers, times), the value as it is or as the default codec makes it',
    checksOf: ofStorage,
  },
  {
    text: 'with a million entries under the tag an invalidation takes at most 1.2 of that with ten; with a million foreign keys a read at most 1.1',
    checksOf: ofScale,
  },
  { text: 'fifty visitors, 3 and 10 replicas: 1 render, 50 queries, 1 version', checksOf: ofFleets },
  {
    text: 'a start: under 40 ms of CPU to import the entry and build the runtime, that of loading the driver shown beside it; connections of a replica: 1 in strict, 2 in l1-pubsub',
    checksOf: ofStart,
  },
]
