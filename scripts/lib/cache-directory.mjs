// Where prepared applications live between runs, and how several processes share them.
//
// It is outside the repository on purpose: below it, an application would find the repository's own
// node_modules (a driver that it did not install) and lock file (from which Next infers its root).
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join, relative, sep } from 'node:path'

export const cacheDirectory =
  process.env.NDC_CACHE_DIR ?? join(tmpdir(), `next-distributed-cache-${userInfo().uid}`)

const KEEP_UNUSED_MS = 60 * 60_000
const READY = '.ready.json'

/** Files below `directory`, sorted, as paths with forward slashes; `skip` sees each name. */
export async function listFiles(directory, skip = () => false) {
  const files = []
  const walk = async (current) => {
    for (const entry of await readdir(current, { withFileTypes: true })) {
      if (skip(entry.name)) continue
      const path = join(current, entry.name)
      if (entry.isDirectory()) await walk(path)
      else files.push(relative(directory, path).split(sep).join('/'))
    }
  }
  await walk(directory)
  return files.sort()
}

/** A short name for the content of some files and some data. */
export async function hashOf(data, directory, files = []) {
  const hash = createHash('sha256').update(JSON.stringify(data))
  for (const file of files) {
    hash.update(`\0${file}\0`).update(await readFile(join(directory, file)))
  }
  return hash.digest('hex').slice(0, 12)
}

/**
 * Makes `<kind>/<name>-<hash>` once: later calls, and concurrent ones in other processes, get what the
 * first one made. Relatives of the same name that nobody has used for an hour are removed.
 *
 * @template T
 * @param {(directory: string) => Promise<T>} make fills the empty directory; its plain result is kept
 * @returns {Promise<T>}
 */
export async function once(kind, name, hash, make) {
  const parent = join(cacheDirectory, kind)
  const directory = join(parent, `${name}-${hash}`)
  await mkdir(parent, { recursive: true })
  const kept = await readReady(directory)
  if (kept) return kept.result
  return withLock(`${directory}.lock`, async () => {
    const meanwhile = await readReady(directory)
    if (meanwhile) return meanwhile.result
    await rm(directory, { recursive: true, force: true })
    await removeUnused(parent, name)
    await mkdir(directory)
    const result = await make(directory)
    await writeFile(join(directory, READY), JSON.stringify({ result }))
    return result
  })
}

async function readReady(directory) {
  const file = join(directory, READY)
  try {
    const ready = JSON.parse(await readFile(file, 'utf8'))
    await utimes(file, new Date(), new Date())
    return ready
  } catch {
    return undefined
  }
}

async function removeUnused(parent, name) {
  for (const entry of await readdir(parent)) {
    if (!entry.startsWith(`${name}-`) || !/^[0-9a-f]{12}$/.test(entry.slice(name.length + 1))) continue
    const used = await stat(join(parent, entry, READY)).catch(() => undefined)
    // Without the mark it is unfinished: being made by another process, or left by one that died.
    if (used && Date.now() - used.mtimeMs > KEEP_UNUSED_MS)
      await rm(join(parent, entry), { recursive: true, force: true })
  }
}

/** Creating a directory either succeeds or fails, for one process alone; the holder's pid is in it. */
async function withLock(lock, work) {
  for (;;) {
    try {
      await mkdir(lock)
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    if (await isAbandoned(lock)) await rm(lock, { recursive: true, force: true })
    else await new Promise((resolve) => setTimeout(resolve, 200))
  }
  try {
    await writeFile(join(lock, 'pid'), String(process.pid))
    return await work()
  } finally {
    await rm(lock, { recursive: true, force: true })
  }
}

async function isAbandoned(lock) {
  const pid = Number(await readFile(join(lock, 'pid'), 'utf8').catch(() => ''))
  if (!pid) {
    // Between creating the directory and writing the pid: a moment, unless the holder died in it.
    const made = await stat(lock).catch(() => undefined)
    return made !== undefined && Date.now() - made.mtimeMs > 10_000
  }
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return error.code === 'ESRCH'
  }
}
