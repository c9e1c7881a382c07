import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { PAGES } from '../../bench/application/pages.mjs'
import { behindBlock } from '../../bench/lib/behind.mjs'
import { CAUSES } from '../../bench/lib/causes.mjs'
import { readmeBlock } from '../../bench/lib/markdown.mjs'
import { blockIn, replaceBlock } from '../../bench/lib/publish.mjs'
import { compare } from '../../bench/lib/report.mjs'
import { formatVerdict, verdictOf } from '../../bench/lib/verdict.mjs'
import { cellOf, handlerCells } from '../../bench/handler/cells.mjs'
import { referenceOf, SUBJECTS, takesPart } from '../../bench/subjects/catalogue.mjs'

const KiB = 1024

/** One subject of a row, with the same figures in every repetition. */
const subject = (kind, reference, figures, more = {}) => ({
  kind,
  reference,
  samples: [figures, figures],
  median: figures,
  ...more,
})
const ops = (opsPerSecond, cpuMsPerOp = 1) => ({ opsPerSecond, cpuMsPerOp })
const handlerRow = (op, changes, subjects) => {
  const cell = cellOf('use cache', op, changes)
  return { level: 'handler', name: cell.name, cell, figure: 'opsPerSecond', subjects }
}
const goalOf = (rows, number) => verdictOf({ rows })[number - 1]
const measured = ({ checks }) => checks.map(({ measured: figure }) => figure)

describe('the verdict', () => {
  it('judges nothing that was not measured', () => {
    expect(verdictOf({ rows: [] }).map(({ status }) => status)).toEqual(Array(8).fill('not measured'))
  })

  it('1: holds read hits against the bare driver, by payload, and conditional reads', () => {
    const row = (op, bytes, ours, limit, changes = {}) =>
      handlerRow(
        op,
        { bytes, ...changes },
        {
          own: subject('ours', undefined, ops(ours)),
          limit: subject('limit', 'own', ops(limit)),
        },
      )
    const rows = [row('read hit', KiB, 70, 100), row('read hit', 50 * KiB, 85, 100)]
    expect(goalOf(rows, 1)).toMatchObject({ status: 'met' })
    expect(measured(goalOf(rows, 1))).toEqual([0.7, 0.85])
    expect(goalOf([...rows, row('read hit', 50 * KiB, 84, 100)], 1).status).toBe('not met')
    expect(goalOf([row('conditional read', 500 * KiB, 499, 100)], 1).status).toBe('not met')
    expect(goalOf([row('conditional read', 2048 * KiB, 500, 100)], 1).status).toBe('met')
    expect(goalOf([row('read hit', KiB, 69, 100)], 1).status).toBe('not met')
    expect(goalOf([row('read hit', KiB, 1, 100, { concurrency: 1 })], 1).status).toBe('not measured')
    // Neither one at a time nor other payloads are what the goal is about.
    expect(goalOf([row('read hit', 500 * KiB, 1, 100)], 1).status).toBe('not measured')
  })

  it('1: says what the contract leaves of a limit, by the same driver', () => {
    const row = handlerRow(
      'read hit',
      { bytes: KiB },
      {
        own: subject('ours', undefined, ops(40)),
        'limit: GET and SET of ioredis': subject('limit', 'own', ops(100)),
        'limit: GET and SET of redis': subject('limit', 'own', ops(50)),
        'contract alone, ioredis': subject('contract', 'own', ops(55)),
      },
    )
    const { checks } = goalOf([row], 1)
    expect(checks).toHaveLength(2)
    expect(checks[0].note).toMatch(/^the contract alone 0\.55/)
    expect(checks[1].note ?? '').not.toContain('contract')
  })

  it('2: holds L1 hits against the memory of Next.js', () => {
    const row = (ours) =>
      handlerRow(
        'L1 hit',
        {},
        {
          own: subject('ours', undefined, ops(ours)),
          'Next.js in memory': subject('stock', 'own', ops(100)),
        },
      )
    expect(goalOf([row(90)], 2).status).toBe('met')
    expect(goalOf([row(89)], 2).status).toBe('not met')
  })

  it('3: wants twice as much in large read hits, lists whoever is ahead, and leaves out who failed', () => {
    const peers = (ours, theirs) => ({
      own: subject('ours', undefined, ops(ours)),
      peer: subject('peer', 'own', ops(theirs)),
      broken: { kind: 'peer', reference: 'own', failed: 'it does not start' },
    })
    const small = handlerRow('read hit', { bytes: KiB }, peers(101, 100))
    const large = handlerRow('read hit', { bytes: 50 * KiB }, peers(199, 100))
    const write = handlerRow('write', {}, peers(99, 100))
    const goal = goalOf([small, large, write], 3)
    expect(goal.checks.map(({ met }) => met)).toEqual([true, false, false])
    const text = formatVerdict([goal])
    expect(text).toContain(`0.99 (0.99-0.99), wanted at least 1: handler: ${write.name}: peer`)
    expect(text).toContain('3. not met (1 of 3)')
    expect(text.indexOf('0.99')).toBeLessThan(text.indexOf('1.99'))
    expect(text).not.toContain('broken')
  })

  it('3 and 4: compares applications by CPU as well', () => {
    const row = {
      level: 'application',
      name: 'warm page',
      cell: { page: 'warm page' },
      figure: 'opsPerSecond',
      subjects: {
        strict: subject('ours', undefined, ops(80, 1.3)),
        'l1-pubsub': subject('ours', undefined, ops(96, 1)),
        'stock Next.js': subject('stock', 'l1-pubsub', ops(100, 1)),
        peer: subject('peer', 'strict', ops(50, 1.2)),
      },
    }
    expect(goalOf([row], 3).checks.map(({ met }) => met)).toEqual([true, false])
    const { checks, status } = goalOf([row], 4)
    expect(status).toBe('not met')
    expect(checks.map(({ what, met }) => [what, met])).toEqual([
      ['warm page, throughput: l1-pubsub', true],
      ['warm page, CPU: l1-pubsub', true],
      ['warm page, throughput: strict', true],
      ['warm page, CPU: strict', false],
    ])
  })

  it('5: judges the default codec and none, by what was handed over; the value alone stands beside it', () => {
    const stored = (recordPerGivenByte, isDefault) =>
      subject(
        'ours',
        undefined,
        { recordPerGivenByte, recordPerCodecByte: recordPerGivenByte + 0.1 },
        { isDefault },
      )
    const row = {
      level: 'storage',
      name: 'stored',
      cell: { op: 'stored' },
      figure: 'recordPerByte',
      subjects: {
        'no compression': stored(1.05, false),
        gzip: stored(1.06, true),
        brotli: stored(2, false),
      },
    }
    expect(measured(goalOf([row], 5))).toEqual([1.05, 1.06])
    expect(goalOf([row], 5).checks.map(({ met }) => met)).toEqual([true, false])
    expect(formatVerdict([goalOf([row], 5)])).toContain(
      '1.06, wanted at most 1.05, 1.16 of the value alone: stored: gzip (default)',
    )
  })

  it('6: takes the largest size that was measured, and says when it is not a million', () => {
    const row = (what, count, ratio) => ({
      level: 'scale',
      name: `${what}: ${count}`,
      count,
      cell: { api: 'use cache', what },
      figure: 'p50Ms',
      subjects: {
        strict: subject('ours', undefined, {}, { growth: { ratio, low: 1, high: 2 } }),
        peer: subject('peer', undefined, {}, { growth: { ratio: 100, low: 1, high: 2 } }),
      },
    })
    const tags = 'entries under the tag'
    const few = [row(tags, 10, 1), row(tags, 100_000, 1.2)]
    expect(goalOf(few, 6)).toMatchObject({ status: 'met', isPart: true })
    expect(formatVerdict([goalOf(few, 6)])).toContain('met, measured in part')
    const many = [...few, row(tags, 1_000_000, 1.21)]
    expect(goalOf(many, 6)).toMatchObject({ status: 'not met', isPart: false })
    expect(goalOf([row('foreign keys', 1_000_000, 1.11)], 6).status).toBe('not met')
  })

  it('7: wants every repetition to be right, not the median', () => {
    const row = (scenario, replicas, samples) => ({
      level: 'fleet',
      name: `${scenario}, ${replicas} replicas`,
      cell: { scenario, replicas },
      figure: 'queries',
      subjects: { strict: { kind: 'ours', samples, median: samples[0] } },
    })
    const right = { renders: 1, queries: 50, versions: 1 }
    const cold = row('cold page', 3, [right, right])
    expect(goalOf([cold], 7)).toMatchObject({ status: 'met', isPart: true })
    expect(goalOf([cold, row('cold page', 10, [right])], 7)).toMatchObject({ status: 'met', isPart: false })
    expect(goalOf([row('cold page', 10, [right])], 7)).toMatchObject({ isPart: true })
    const twice = { renders: 2, queries: 100, versions: 1 }
    expect(goalOf([row('cold page', 10, [right, right, twice])], 7).checks).toMatchObject([
      { met: false, measured: '2 renders, 100 queries, 1 versions' },
    ])
    // A stale page may be seen in both versions, an invalidated one may not.
    const both = { ...right, versions: 2 }
    expect(goalOf([row('stale page', 10, [both])], 7).status).toBe('met')
    expect(goalOf([row('invalidated page', 10, [both])], 7).status).toBe('not met')
  })

  it('8: wants a cheap start and no connection more than said', () => {
    const row = (name, bootCpuMs, connections) => ({
      level: 'handler',
      name: 'start',
      cell: { op: 'start' },
      figure: 'bootCpuMs',
      subjects: { [name]: subject('ours', undefined, { bootCpuMs, connections }) },
    })
    expect(goalOf([row('strict, ioredis', 39, 1)], 8).status).toBe('met')
    expect(goalOf([row('strict, ioredis', 41, 1)], 8).status).toBe('not met')
    expect(goalOf([row('strict, ioredis', 39, 2)], 8).status).toBe('not met')
    expect(goalOf([row('l1-pubsub, ioredis', 39, 2)], 8).status).toBe('met')
  })

  it('counts what failed as not met', () => {
    const row = {
      level: 'handler',
      name: 'start',
      cell: { op: 'start' },
      figure: 'bootCpuMs',
      subjects: { strict: { kind: 'ours', failed: 'it does not start' } },
    }
    expect(goalOf([row], 8).status).toBe('not met')
    expect(formatVerdict([goalOf([row], 8)])).toContain('it does not start')
  })
})

describe('what is behind', () => {
  const slow = (kind, reference) => subject(kind, reference, ops(kind === 'ours' ? 1 : 100))
  const handlers = handlerCells({ quick: false }).map((cell) => ({
    level: 'handler',
    name: cell.name,
    cell,
    figure: 'opsPerSecond',
    subjects: Object.fromEntries(
      SUBJECTS.filter((one) => takesPart(one, cell)).map((one) => [
        one.name,
        slow(one.kind, referenceOf(one, cell)),
      ]),
    ),
  }))
  const start = {
    level: 'handler',
    name: 'start: import and build',
    cell: { op: 'start' },
    figure: 'bootCpuMs',
    subjects: { 'strict, ioredis': subject('ours', undefined, { bootCpuMs: 100, connections: 9 }) },
  }
  const stored = {
    level: 'storage',
    name: 'stored bytes, use cache, 1 KB',
    cell: { op: 'stored' },
    figure: 'recordPerByte',
    subjects: { 'no compression': subject('ours', undefined, { recordPerGivenByte: 9 }) },
  }
  const pages = PAGES.map(({ name }) => ({
    level: 'application',
    name,
    cell: {},
    figure: 'opsPerSecond',
    subjects: { strict: slow('ours'), 'stock Next.js': slow('stock', 'strict') },
  }))
  const grown = {
    level: 'scale',
    name: 'use cache, conditional read, foreign keys: 1,000,000',
    count: 1_000_000,
    cell: { api: 'use cache', what: 'foreign keys' },
    figure: 'p50Ms',
    subjects: {
      'strict, ioredis': subject('ours', undefined, {}, { growth: { ratio: 2, low: 1, high: 3 } }),
    },
  }
  const verdict = verdictOf({ rows: [...handlers, start, stored, ...pages, grown] })
  const missed = verdict.flatMap(({ checks }) => checks.filter(({ met }) => !met))

  it.each(CAUSES.map((entry) => [entry.id, entry]))(
    'has a cause and what was tried, of rows that there are: %s',
    (id, { cause, tried, goals }) => {
      expect(id).toMatch(/^[a-z]+(-[a-z]+)*$/)
      for (const text of [cause, tried]) expect(text).toMatch(/^[A-Z`].*[.]$/)
      for (const goal of goals) expect(verdict[goal - 1]).toBeDefined()
      expect(missed.some((check) => check.cause === id)).toBe(true)
    },
  )

  it('has each cause once', () => {
    const ids = CAUSES.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('names the cause of every figure that is behind, says what it is once, and where none is on record', () => {
    const text = formatVerdict(verdict)
    const write = handlers.find(({ cell }) => cell.op === 'write')
    expect(text).toContain(
      `handler: ${write.name}: @trieb.work/nextjs-turbo-redis-cache, L1 off [write-is-ordered]`,
    )
    expect(text.split('A write must not bring back')).toHaveLength(2)
    const memory = handlers.find(({ cell }) => cell.op === 'L1 hit')
    expect(text).toContain(`${memory.name}: Next.js in memory [no cause is on record]`)
    expect(verdict[1].checks[0]).toMatchObject({ met: false, cause: undefined })
  })

  it('says nothing about what is met', () => {
    const [met] = verdictOf({ rows: [start] })[7].checks.map((check) => ({ ...check, met: true }))
    expect(formatVerdict([{ goal: 8, text: 'a start', status: 'met', checks: [met] }])).not.toContain(
      'Causes',
    )
  })

  it('says what CPU says where that is something else', () => {
    const row = handlerRow(
      'write',
      {},
      { own: subject('ours', undefined, ops(90, 1)), peer: subject('peer', 'own', ops(100, 1.2)) },
    )
    expect(formatVerdict([goalOf([row], 3)])).toContain('0.90 (0.90-0.90), wanted at least 1, CPU 1.20: ')
  })

  it('says where the spread of a row reaches what is wanted', () => {
    const row = handlerRow(
      'write',
      {},
      {
        own: { kind: 'ours', samples: [{ opsPerSecond: 90 }, { opsPerSecond: 102 }], median: {} },
        peer: subject('peer', 'own', ops(100)),
      },
    )
    const { checks } = goalOf([row], 3)
    expect(checks[0]).toMatchObject({ met: false, isClose: true })
    expect(formatVerdict([goalOf([row], 3)])).toContain(
      '0.96 (0.90-1.02), wanted at least 1, within its spread:',
    )
  })

  it('stands in docs/performance.md as the result that README.md shows and the causes say', async () => {
    const read = (file) => readFile(new URL(`../../${file}`, import.meta.url), 'utf8')
    const [, file] = /\[everything\]\((bench\/results\/[^)]+\.json)\)/.exec(await read('README.md'))
    const result = JSON.parse(await read(file))
    const rows = result.rows.map((row) => ({ ...row, ratios: compare(row) }))
    const written = blockIn(await read('docs/performance.md'), 'behind')
    expect(written, `run: npm run bench -- --report ${file}`).toBe(
      behindBlock({ ...result, rows }, `../${file}`),
    )
  })
})

describe('what README.md shows', () => {
  const machine = {
    processor: 'P',
    cores: 2,
    memoryGiB: 8,
    system: 'linux 6',
    node: 'v20',
    redis: '7',
    next: '16',
    loadBefore: 0.1,
  }
  const rows = [
    handlerRow(
      'read hit',
      {},
      {
        'strict, ioredis': subject('ours', undefined, ops(1234)),
        'limit: GET and SET of ioredis': subject('limit', 'strict, ioredis', ops(2468)),
        '@scope/one, L1 off': subject('peer', 'strict, ioredis', ops(617)),
        '@other/two': { kind: 'peer', failed: 'gave nothing' },
      },
    ),
    {
      level: 'fleet',
      name: 'cold page, 3 replicas',
      cell: { scenario: 'cold page', replicas: 3 },
      figure: 'queries',
      subjects: { strict: subject('ours', undefined, { renders: 1, queries: 50, versions: 1 }) },
    },
  ]
  const result = { date: '2026-01-02T03:04:05Z', mode: 'quick', machine, versions: { '@scope/one': '1.0.0' } }

  it('has ratios first, failures as such, counts of fleets, and every goal', () => {
    const compared = rows.map((row) => ({
      ...row,
      ratios:
        row.level === 'handler'
          ? {
              'limit: GET and SET of ioredis': { ratio: 0.5, low: 0.4, high: 0.6 },
              '@scope/one, L1 off': { ratio: 2, low: 2, high: 2, cpu: { ratio: 2.2 } },
            }
          : {},
    }))
    const charts = [{ title: 'a chart', path: 'bench/results/charts/a.svg' }]
    const block = readmeBlock({ ...result, rows: compared }, { charts, file: 'bench/results/x.json' })
    expect(block).toContain('| | this package | bare driver | @scope | @other |'.replace('| |', '|  |'))
    expect(block).toContain(
      'strict: 1,234 /s | **0.50** (0.40-0.60) | **2.00** (2.00-2.00) L1 off | failed |',
    )
    expect(block).toContain('| strict | 1 / 50 / 1 |')
    expect(block).toContain('7. fifty visitors')
    expect(block).toContain('[everything](bench/results/x.json)')
    expect(block).toContain('![a chart](bench/results/charts/a.svg)')
  })

  it('has the ratio by CPU where it says something else', () => {
    const blockWith = (ratio, cpu) => {
      const ratios = { '@scope/one, L1 off': { ratio, low: ratio, high: ratio, cpu: { ratio: cpu } } }
      const charts = { charts: [], file: 'x.json' }
      return readmeBlock({ ...result, rows: [{ ...rows[0], ratios }] }, charts)
    }
    expect(blockWith(2, 2.4)).toContain('**2.00** (2.00-2.00) L1 off')
    expect(blockWith(2, 2.6)).toContain('**2.00** (2.00-2.00), CPU 2.60 L1 off')
    expect(blockWith(1.05, 0.99)).toContain('**1.05** (1.05-1.05), CPU 0.99 L1 off')
  })

  it('says what others did meanwhile', () => {
    const levels = {
      handler: { seconds: 30, othersBusy: { mean: 0.1, worst: 0.3 } },
      fleet: { seconds: 10, othersBusy: { mean: 0.5, worst: 1 } },
    }
    const shown = rows.map((row) => ({ ...row, ratios: {} }))
    expect(readmeBlock({ ...result, rows: shown, levels }, { charts: [], file: 'x.json' })).toContain(
      'load before: 0.1; others kept 0.2 processors busy, 1 at worst)',
    )
  })

  it('stands between two markers, and nothing else changes', () => {
    const text = 'before\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nafter\n'
    const replaced = replaceBlock(text, 'new', 'bench')
    expect(replaced).toBe('before\n<!-- bench:begin -->\nnew\n<!-- bench:end -->\nafter\n')
    expect(replaceBlock(replaced, 'new', 'bench')).toBe(replaced)
    expect(blockIn(replaced, 'bench')).toBe('new')
    expect(() => replaceBlock('no markers', 'new', 'bench')).toThrow('needs one')
    expect(() => replaceBlock(`${text}${text}`, 'new', 'bench')).toThrow('needs one')
  })
})
