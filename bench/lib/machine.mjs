// What a result was measured on. Names no path, user or host: results are committed.
import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { promisify } from 'node:util'
import { ensureRedisServer } from '../../scripts/lib/redis.mjs'

const require = createRequire(import.meta.url)

export async function describeMachine() {
  const { stdout } = await promisify(execFile)(await ensureRedisServer(), ['--version'])
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release().split('-')[0]} ${process.arch}`,
    node: process.version,
    redis: /v=([\d.]+)/.exec(stdout)?.[1] ?? 'unknown',
    next: require('next/package.json').version,
    /** A busy machine measures its own business: compare ratios, and repeat where this is not near 0. */
    loadBefore: Number(loadavg()[0].toFixed(2)),
  }
}
