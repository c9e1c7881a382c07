// What an entry costs to keep: bytes of its record over those of its payload, and, for each codec, what compressing costs
// against what there is less to carry.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { cellOf, sizeName } from '../handler/cells.mjs'
import { bytesBesideValue, payloadOf } from '../handler/content.mjs'
import { measureCell, startAll } from '../handler/level.mjs'
import { reasonOf } from '../lib/bounded.mjs'
import { COMPILED } from '../lib/compile.mjs'

const require = createRequire(import.meta.url)
const KiB = 1024
const SIZES = [KiB, 50 * KiB, 500 * KiB, 2 * KiB * KiB]
const APIS = ['use cache', 'cacheHandler']
/** What a wire of 1 Gbit/s carries in a millisecond. */
const BYTES_PER_MS = 125_000

const codecName = (codec) => (codec === 'none' ? 'no compression' : codec)

const subjectOf = (codec) => ({
  name: codecName(codec),
  kind: 'ours',
  apis: APIS,
  l1: false,
  module: './ours.mjs',
  settings: { preset: 'strict', driver: 'ioredis', heldBytes: 0, compression: codec },
})

export async function runStorageLevel(options) {
  const { quick, only = '', log } = options
  const { isCodecAvailable } = require(join(COMPILED, 'src', 'compression.js'))
  const { resolveOptions } = require(join(COMPILED, 'src', 'resolve-options.js'))
  const { compression } = resolveOptions({}, { driver: 'ioredis', keyPrefix: 'ndc:bench', images: false })
  const codecs = ['none', 'gzip', 'brotli', 'zstd'].filter((codec) => isCodecAvailable(codec))
  const cellsOf = (op, apis, sizes, nameOf) =>
    apis
      .flatMap((api) => sizes.map((bytes) => cellOf(api, op, { bytes, concurrency: 16 })))
      .map((cell) => ({ ...cell, content: 'product page', name: nameOf(cell) }))
      .filter(({ name }) => name.includes(only))
  const stored = cellsOf(
    'stored',
    APIS,
    SIZES,
    ({ api, bytes }) => `stored bytes, ${api}, ${sizeName(bytes)}`,
  )
  const [apis, sizes] = quick ? [['cacheHandler'], [50 * KiB]] : [APIS, [50 * KiB, 500 * KiB]]
  const carried = ['write', 'read hit'].flatMap((op) =>
    cellsOf(op, apis, sizes, ({ name }) => `compression, ${name}`),
  )
  if (stored.length + carried.length === 0) return []

  const { running, failed, stop } = await startAll(codecs.map(subjectOf), 'loopback', options)
  try {
    const rows = []
    for (const cell of stored) {
      log(cell.name)
      rows.push(await measureStored(cell, running, compression))
    }
    for (const cell of carried) {
      if (options.pace.leavesOut(`storage: ${cell.name}`)) continue
      log(cell.name)
      rows.push(asCarried(await measureCell(cell, running, options)))
    }
    for (const row of rows)
      for (const { subject, reason } of failed) row.subjects[subject.name] = { kind: 'ours', failed: reason }
    return rows
  } finally {
    await stop()
  }
}

async function measureStored(cell, running, { codec: defaultCodec, thresholdBytes }) {
  const { compress } = require(join(COMPILED, 'src', 'compression.js'))
  const payload = payloadOf(cell)
  const subjects = {}
  for (const { admin, ask, subject } of running) {
    const entry = { kind: 'ours', isDefault: subject.settings.compression === defaultCodec }
    try {
      await admin.flushall()
      await ask('fill', { cell, count: 1, concurrency: 1 })
      const codec = cell.bytes < thresholdBytes ? 'none' : subject.settings.compression
      const recordBytes = await recordBytesOf(admin)
      const packedBytes = (await compress(codec, payload)).length
      const sample = {
        recordBytes,
        recordPerByte: recordBytes / payload.length,
        recordPerCodecByte: recordBytes / packedBytes,
        recordPerGivenByte: recordBytes / (packedBytes + bytesBesideValue(cell)),
      }
      subjects[subject.name] = { ...entry, samples: [sample], median: sample }
    } catch (error) {
      subjects[subject.name] = { ...entry, failed: reasonOf(error) }
    }
  }
  return { level: 'storage', name: cell.name, cell, defaultCodec, figure: 'recordPerByte', subjects }
}

/** The only string there is that belongs to an entry. */
async function recordBytesOf(admin) {
  const keys = (await admin.keys('ndc:bench*{*}')).filter((key) => !key.endsWith(':lease'))
  if (keys.length !== 1) throw new Error(`${keys.length} records where one was written`)
  return admin.strlen(keys[0])
}

/** Everybody beside "no compression", and what an entry takes on the wire. */
function asCarried(row) {
  for (const [name, entry] of Object.entries(row.subjects)) {
    entry.kind = name === codecName('none') ? 'ours' : 'codec'
    entry.reference = codecName('none')
    if (!entry.median) continue
    entry.median.wireMs = (entry.median.storedPerByte * row.cell.bytes) / BYTES_PER_MS
  }
  return { ...row, level: 'storage' }
}
