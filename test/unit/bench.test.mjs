import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { chosenDeployments, DEPLOYMENTS } from '../../bench/deployments/catalogue.mjs'
import { readArguments } from '../../bench/lib/arguments.mjs'
import { reasonOf } from '../../bench/lib/bounded.mjs'
import { barChart, chartOfRow, shortNumber } from '../../bench/lib/chart.mjs'
import { busyMsOf, familyMs, formatLoad, processOf, wholeLoad } from '../../bench/lib/load-watch.mjs'
import { fleetSizes } from '../../bench/fleet/level.mjs'
import { interleave } from '../../bench/lib/interleave.mjs'
import { createPace } from '../../bench/lib/pace.mjs'
import { compare, formatRow } from '../../bench/lib/report.mjs'
import { median, quantile, ratioOf, summarize } from '../../bench/lib/statistics.mjs'
import { handlerCells, isWaiting } from '../../bench/handler/cells.mjs'
import { operationsOf } from '../../bench/handler/operations.mjs'
import { referenceOf, SUBJECTS, takesPart } from '../../bench/subjects/catalogue.mjs'
import { bytesBesideValue, markup, payloadOf } from '../../bench/handler/content.mjs'

describe('statistics', () => {
  it('takes quantiles between the nearest values, in any order', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 3, 2])).toBe(2.5)
    expect(quantile([10, 20], 0.25)).toBe(12.5)
    expect(quantile([1, 2, 3], 1)).toBe(3)
    expect(quantile([], 0.5)).toBeUndefined()
  })

  it('compares medians, and says between what the neighbouring repetitions lie', () => {
    expect(ratioOf([20, 30, 100], [10, 20, 20])).toEqual({ ratio: 1.5, low: 1.5, high: 5 })
  })

  it('leaves out repetitions that one side does not have', () => {
    expect(ratioOf([20, undefined, 40], [10, 10, 0])).toEqual({ ratio: 2, low: 2, high: 2 })
    expect(ratioOf([1], [])).toBeUndefined()
  })

  it('summarizes each figure by itself', () => {
    const samples = [{ a: 1, b: 5 }, { a: 3 }, { a: 2, b: 7, name: 'x' }]
    expect(summarize(samples)).toEqual({ a: 2, b: 6 })
  })
})

describe('interleaving', () => {
  it('measures everybody once per repetition, beginning with another one each time', async () => {
    const order = []
    const results = await interleave(['a', 'b', 'c'], 3, async (subject, repetition) => {
      order.push(subject)
      return `${subject}${repetition}`
    })
    expect(order.join('')).toBe('abcbcacab')
    expect(results.get('b')).toEqual({ samples: ['b0', 'b1', 'b2'] })
  })

  it('does not ask again who failed, and goes on with the others', async () => {
    const results = await interleave(['a', 'b'], 3, async (subject, repetition) => {
      if (subject === 'a' && repetition === 1) throw new Error('broken\nin detail')
      return repetition
    })
    expect(results.get('a')).toEqual({ samples: [0], failed: 'broken' })
    expect(results.get('b')).toEqual({ samples: [0, 1, 2] })
  })

  it('names no folder of this machine, and leaves addresses and packages alone', () => {
    const message =
      "no '/home/me/a b.mjs' from /home/me/x/y.mjs, @scope/name at http://127.0.0.1:1/bench/cold"
    expect(reasonOf(new Error(`${message}\nat /home`))).toBe(
      "no 'a b.mjs' from y.mjs, @scope/name at http://127.0.0.1:1/bench/cold",
    )
  })

  it('waits for nobody who hangs', async () => {
    const measure = (subject) => (subject === 'a' ? new Promise(() => {}) : Promise.resolve(1))
    const results = await interleave(['a', 'b'], 2, measure, { limitMs: 10 })
    expect(results.get('a').failed).toContain('took longer')
    expect(results.get('b').samples).toEqual([1, 1])
  })

  it('measures everybody once at least when it is late', async () => {
    const results = await interleave(['a', 'b'], 5, async () => 1, { isLate: () => true })
    expect([...results.values()].map(({ samples }) => samples.length)).toEqual([1, 1])
  })
})

describe('the pace', () => {
  it('gives each level its share, and what an earlier one left over', () => {
    let now = 0
    const pace = createPace({ limitMs: 100, levels: ['application', 'fleet'], now: () => now })
    pace.begin('application')
    now = 69
    expect(pace.leavesOut('warm page')).toBe(false)
    expect(pace.leavesOut('cold page')).toBe(true)
    pace.begin('fleet')
    expect(pace.isLate()).toBe(false)
    expect(pace.leavesOut('stale page')).toBe(false)
    expect(pace.leavesOut('another page')).toBe(false)
    now = 101
    expect(pace.isLate()).toBe(true)
    expect(pace.leftOut).toEqual(['cold page'])
  })

  it('is never late without a limit', () => {
    const pace = createPace({ limitMs: Infinity, levels: ['scale'] })
    pace.begin('scale')
    expect(pace.isLate()).toBe(false)
  })
})

describe('what others do meanwhile', () => {
  const line = (pid, parent, ...times) =>
    `${pid} (a (strange) name) S ${parent} ${'0 '.repeat(9)}${times.join(' ')} 20 0`

  it('counts all that the processors did but wait', () => {
    expect(busyMsOf('cpu  100 20 30 9999 888 1 2 3 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n')).toBe(1_560)
    expect(busyMsOf('')).toBeUndefined()
  })

  it('leaves out a process and all below it, with what they have waited for', () => {
    expect(processOf(line(7, 5, 1, 2, 30, 40))).toEqual({ parent: 5, ms: 730 })
    const processes = new Map([
      [1, { parent: 0, ms: 1_000 }],
      [5, { parent: 1, ms: 10 }],
      [7, { parent: 5, ms: 200 }],
      [9, { parent: 7, ms: 3_000 }],
      [8, { parent: 1, ms: 50_000 }],
    ])
    expect(familyMs(processes, 5)).toBe(3_210)
  })

  it('sums up levels by how long they took', () => {
    const levels = {
      handler: { seconds: 90, othersBusy: { mean: 0.1, worst: 0.2 } },
      storage: { seconds: 500 },
      scale: { seconds: 10, othersBusy: { mean: 1.1, worst: 1.9 } },
    }
    expect(wholeLoad(levels)).toEqual({ mean: 0.2, worst: 1.9 })
    expect(wholeLoad({})).toBeUndefined()
    expect(wholeLoad()).toBeUndefined()
    expect(formatLoad(undefined)).toContain('not known')
  })
})

describe('the report', () => {
  const row = {
    name: 'a row',
    figure: 'opsPerSecond',
    subjects: {
      ours: {
        kind: 'ours',
        samples: [{ opsPerSecond: 200 }, { opsPerSecond: 300 }],
        median: { opsPerSecond: 250 },
      },
      other: {
        kind: 'peer',
        reference: 'ours',
        samples: [{ opsPerSecond: 100 }, { opsPerSecond: 100 }],
        median: { opsPerSecond: 100 },
      },
      broken: { kind: 'peer', reference: 'ours', failed: 'it does not start' },
    },
  }

  it('says how many times as good ours is', () => {
    expect(compare(row)).toEqual({ other: { against: 'ours', ratio: 2.5, low: 2, high: 3 } })
  })

  it('compares the CPU time of one operation beside the figure of the row', () => {
    const measured = structuredClone(row)
    measured.subjects.ours.samples = [{ opsPerSecond: 100, cpuMsPerOp: 2 }]
    measured.subjects.other.samples = [{ opsPerSecond: 100, cpuMsPerOp: 5 }]
    expect(compare(measured).other).toMatchObject({ ratio: 1, cpu: { ratio: 2.5 } })
    expect(formatRow(measured)).toContain('1.00 (1.00-1.00), CPU 2.50')
  })

  it('turns the ratio over where less is better', () => {
    const slow = structuredClone(row)
    slow.figure = 'ttfbMs'
    slow.subjects.ours.samples = [{ ttfbMs: 5 }]
    slow.subjects.other.samples = [{ ttfbMs: 20 }]
    expect(compare(slow).other.ratio).toBe(4)
  })

  it('compares with nothing that failed', () => {
    const broken = structuredClone(row)
    broken.subjects.ours.failed = 'gave nothing'
    expect(compare(broken)).toEqual({})
  })

  it('shows the ratio first, and failures as such', () => {
    const [title, ours, other, failed] = formatRow(row).split('\n')
    expect(title).toBe('a row')
    expect(ours).toMatch(/^ +ours +250 \/s$/)
    expect(other).toMatch(/^ +2\.50 \(2\.00-3\.00\) +other +100 \/s$/)
    expect(failed).toContain('broken  failed: it does not start')
  })

  it('draws what can be compared, with names that cannot break the markup', () => {
    const machine = { processor: 'P <1>', cores: 2, node: 'v20', redis: '7', next: '16' }
    const svg = chartOfRow(row, machine, { opsPerSecond: 'per second' })
    expect(svg.match(/<rect/g)).toHaveLength(2)
    expect(svg).toContain('P &lt;1&gt;')
    expect(svg).toContain('250 per second')
    expect(chartOfRow({ ...row, figure: 'none' }, machine, {})).toBeUndefined()
    expect(
      barChart({ title: 'a "b" & c', unit: '', bars: [{ label: 'x', value: 0, kind: 'ours' }] }),
    ).toContain('aria-label="a &quot;b&quot; &amp; c"')
    expect([shortNumber(1234.5), shortNumber(0.12345)]).toEqual(['1,235', '0.123'])
  })
})

describe('what is measured', () => {
  const cells = handlerCells({ quick: false })

  it('has no two cells of one name, and the quick ones among all', () => {
    const names = cells.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    for (const { name } of handlerCells({ quick: true })) expect(names).toContain(name)
  })

  it.each(cells.map((cell) => [cell.name, cell]))(
    'compares with one of ours that takes part: %s',
    (_name, cell) => {
      const members = SUBJECTS.filter((subject) => takesPart(subject, cell))
      const ours = members.filter(({ kind }) => kind === 'ours').map(({ name }) => name)
      expect(ours).toHaveLength(2)
      for (const member of members) expect(ours).toContain(referenceOf(member, cell))
    },
  )

  it('measures with and without local memory apart', () => {
    const membersOf = (op) =>
      SUBJECTS.filter((subject) => takesPart(subject, { api: 'cacheHandler', op })).map(({ l1 }) => l1)
    expect(new Set(membersOf('L1 hit'))).toEqual(new Set([true]))
    expect(new Set(membersOf('read hit'))).toEqual(new Set([false]))
  })

  it('writes content of exactly the bytes that were asked for, the same every time', () => {
    expect(Buffer.byteLength(markup(1000))).toBe(1000)
    expect(markup(5000)).toBe(markup(5000))
    expect(markup(100, 1)).not.toBe(markup(100, 2))
    for (const api of ['use cache', 'cacheHandler'])
      for (const content of [undefined, 'product page'])
        expect(payloadOf({ api, bytes: 5001, content })).toHaveLength(5001)
  })
})

describe('rows of a full run', () => {
  const cells = handlerCells({ quick: false })
  const valuesOf = (pick) => new Set(cells.map(pick))

  it('have all payloads, numbers of tags, loads and networks', () => {
    expect(valuesOf(({ bytes }) => bytes / 1024)).toEqual(new Set([1, 50, 500, 2048]))
    expect(valuesOf(({ tags }) => tags.length)).toEqual(new Set([1, 5, 30]))
    expect(valuesOf(({ concurrency }) => concurrency)).toEqual(new Set([1, 64]))
    expect(valuesOf(({ network }) => network)).toEqual(new Set(['loopback', '1 ms']))
    const ops = ['read hit', 'conditional read', 'L1 hit', 'read miss', 'write', 'invalidate']
    expect(valuesOf(({ op }) => op)).toEqual(new Set(ops))
  })

  it('have one driver where tags are all that differs, and few repetitions where they wait', () => {
    for (const cell of cells) {
      expect(cell.oneDriver === true).toBe(cell.tags.length !== 5)
      expect(isWaiting(cell)).toBe(cell.network === '1 ms' && cell.concurrency === 1)
    }
  })

  it('have crowds on one, three and ten replicas, and a quick run those of ours on ten', () => {
    const shown = (choice) =>
      fleetSizes(choice).map(({ replicas, scenarios, onlyOurs }) => [replicas, scenarios.length, onlyOurs])
    expect(shown({ quick: false })).toEqual([
      [1, 3, false],
      [3, 4, false],
      [10, 4, false],
    ])
    expect(shown({ quick: true })).toEqual([
      [3, 4, false],
      [10, 3, true],
    ])
    expect(shown({ quick: true, only: 'stale page, 10 replicas' })).toEqual([[10, 1, true]])
  })
})

describe('operations of a page', () => {
  it('are requests of their own: what one may wait for Redis, the next one may, too', async () => {
    const requests = []
    class CacheHandler {
      constructor({ _requestHeaders }) {
        requests.push(_requestHeaders)
      }
      get = async () => null
      set = async () => {}
      revalidateTag = async () => {}
    }
    const cell = { api: 'cacheHandler', bytes: 10, tags: ['a'] }
    const { read, write, invalidate } = operationsOf({ CacheHandler }, cell)
    for (let round = 0; round < 2; round++) {
      await read('key')
      await write('key')
      await invalidate('a')
    }
    for (const request of requests) expect(request).toEqual({})
    expect(new Set(requests).size).toBe(6)
  })
})

describe('what Next.js hands over beside a value', () => {
  it('is tags and four numbers, or headers and three', () => {
    expect(bytesBesideValue({ api: 'use cache', tags: ['a', 'öö'] })).toBe(1 + 4 + 4 * 8)
    const headers = 'x-next-cache-tags' + 'a,b' + 'content-type' + 'text/html; charset=utf-8'
    expect(bytesBesideValue({ api: 'cacheHandler', tags: ['a', 'b'] })).toBe(headers.length + 3 * 8)
  })
})

describe('deployments', () => {
  it('are compared with one of ours', () => {
    const ours = DEPLOYMENTS.filter(({ kind }) => kind === 'ours').map(({ name }) => name)
    expect(ours).toEqual(['strict', 'l1-pubsub'])
    for (const { kind, reference } of DEPLOYMENTS) if (kind !== 'ours') expect(ours).toContain(reference)
  })

  it('leave out in a quick run what is wanted only by name', () => {
    const quick = chosenDeployments({ quick: true }).map(({ name }) => name)
    expect(quick).not.toContain('@trieb.work/nextjs-turbo-redis-cache, L1 off')
    const wanted = chosenDeployments({ quick: true, wanted: ['turbo-redis-cache, L1 off'] })
    expect(wanted.map(({ name }) => name)).toEqual([
      'strict',
      'l1-pubsub',
      '@trieb.work/nextjs-turbo-redis-cache, L1 off',
    ])
  })
})

describe('what is compared with', () => {
  const folders = ['../../bench/peers/', '../../bench/peers/turbo/']

  it.each(folders)('is pinned, and its lock file names no registry: %s', async (folder) => {
    const read = async (file) => JSON.parse(await readFile(new URL(folder + file, import.meta.url), 'utf8'))
    for (const version of Object.values((await read('package.json')).dependencies))
      expect(version).toMatch(/^\d+\.\d+\.\d+$/)
    for (const { resolved } of Object.values((await read('package-lock.json')).packages))
      expect(resolved).toBeUndefined()
  })
})

describe('arguments', () => {
  it('takes levels by name, and refuses others', () => {
    expect(readArguments([]).levels).toEqual(['handler', 'storage', 'application', 'fleet', 'scale'])
    expect(readArguments(['--level', 'fleet,scale', '--quick'])).toMatchObject({
      levels: ['fleet', 'scale'],
      charts: true,
    })
    expect(readArguments(['--quick']).repetitionsOf('handler')).toBe(3)
    expect(readArguments(['--repetitions', '4']).repetitionsOf('fleet')).toBe(4)
    expect(() => readArguments(['--level', 'moon'])).toThrow('--level moon')
    expect(() => readArguments(['--repetitions', '0'])).toThrow('--repetitions 0')
    expect(readArguments(['--no-charts']).charts).toBe(false)
  })
})
