// Up to a million entries under one tag. Through the handler that takes minutes; the records that it would have
// written, made from one that it did write, arrive within seconds.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { COMPILED } from '../lib/compile.mjs'

const require = createRequire(import.meta.url)
const THROUGH_HANDLER = 10
const PER_COMMAND = 1_000
const CONCURRENCY = 64
const LIFE_MS = 3_600_000
const FORMAT = { compression: { codec: 'none', thresholdBytes: 0 }, maxEntryBytes: 2 ** 20 }

const SET_ALL = `for i = 1, #KEYS do redis.call('SET', KEYS[i], ARGV[i + 1], 'PX', ARGV[1]) end`

/** Entries of the cell's tag, besides what is there already. */
export async function fillEntries({ admin, ask, subject }, cell, count) {
  const isOurs = subject.kind === 'ours'
  const small = { ...cell, bytes: 128 }
  const written = isOurs ? Math.min(count, THROUGH_HANDLER) : count
  const before = isOurs ? new Set(await entryKeys(admin)) : undefined
  await ask('fill', { cell: small, count: written, concurrency: CONCURRENCY })
  if (written < count) await copyEntries(admin, before, cell, written, count)
}

async function entryKeys(admin) {
  const found = []
  let cursor = '0'
  do {
    const [next, keys] = await admin.scan(cursor, 'MATCH', 'ndc:*{*}', 'COUNT', 10_000)
    cursor = next
    found.push(...keys)
  } while (cursor !== '0')
  return found
}

/** The checksum of a record covers the name of its key: each copy is encoded anew. */
async function copyEntries(admin, before, cell, from, to) {
  const { decodeEntry, encodeEntry } = require(join(COMPILED, 'src', 'entry.js'))
  const { hashCacheKey } = require(join(COMPILED, 'src', 'key-names.js'))
  const written = (await entryKeys(admin)).filter((key) => !before.has(key))
  const [model] = written
  const nameOf = (index) => `${model.slice(0, model.indexOf('{'))}{${hashCacheKey(`${cell.name} ${index}`)}}`
  if (!written.includes(nameOf(0))) throw new Error('the names of entries are not what scale/ expects')
  const entry = await decodeEntry(model, await admin.getBuffer(model), FORMAT)
  for (let index = from; index < to; index += PER_COMMAND) {
    const names = Array.from({ length: Math.min(PER_COMMAND, to - index) }, (_, one) => nameOf(index + one))
    const records = []
    for (const name of names)
      records.push(await encodeEntry(name, { ...entry, chunks: [entry.body] }, FORMAT))
    await admin.eval(SET_ALL, names.length, ...names, LIFE_MS, ...records)
  }
}
