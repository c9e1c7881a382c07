import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { DistributedCacheError } from '../../src/errors'
import type { RedisTarget } from '../../src/redis-url'
import { deferLink } from './deferred-link'
import type { OpenLink, TlsSettings } from './link'

/**
 * Reads the files of a TLS target whenever it is dialled, so that a rotated certificate is used from the next
 * connection on. Never on the path of a request: those only use connections.
 */
export function withTlsFiles(openLink: OpenLink): OpenLink {
  return (target, connectMs, events) => {
    if (target.transport !== 'tls') return openLink(target, connectMs, events)
    const open = (tls: TlsSettings) => openLink(target, connectMs, events, tls)
    return deferLink(() => readTlsSettings(target), open, events)
  }
}

async function readTlsSettings({ host, tls }: RedisTarget): Promise<TlsSettings> {
  const [ca, cert, key] = await Promise.all([
    readTlsFile('cafile', tls?.caFile),
    readTlsFile('certfile', tls?.certFile),
    readTlsFile('keyfile', tls?.keyFile),
  ])
  // Neither Node.js nor the drivers send the name of the host by themselves, and TLS proxies go by it.
  const servername = tls?.serverName ?? (isIP(host) === 0 ? host : undefined)
  return {
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(servername !== undefined && { servername }),
  }
}

async function readTlsFile(parameter: string, path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined) return undefined
  try {
    return await readFile(path)
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? 'unknown error'
    throw new DistributedCacheError(
      'CLIENT',
      `The ${parameter} of the Redis URL cannot be read: ${path} (${why})`,
    )
  }
}
