import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Certificate {
  readonly certFile: string
  readonly keyFile: string
}

export interface CertificateAuthority {
  readonly directory: string
  readonly caFile: string
  /** A certificate signed by this authority, for these names (`DNS:host,IP:address`). */
  issue(name: string, subjectAltName?: string): Certificate
  remove(): void
}

/** Certificates that live for a day, made by openssl. */
export function createAuthority(): CertificateAuthority {
  const directory = mkdtempSync(join(tmpdir(), 'ndc-tls-'))
  const file = (name: string): string => join(directory, name)
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'pipe' })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const caFile = file('ca.pem')
  openssl(
    'req',
    '-x509',
    ...key,
    '-days',
    '1',
    '-subj',
    '/CN=test authority',
    '-keyout',
    file('ca.key'),
    '-out',
    caFile,
  )
  return {
    directory,
    caFile,
    issue(name, subjectAltName = `DNS:${name}`) {
      const [certFile, keyFile, request, extensions] = ['pem', 'key', 'csr', 'ext'].map((end) =>
        file(`${name}.${end}`),
      ) as [string, string, string, string]
      writeFileSync(extensions, `subjectAltName=${subjectAltName}\n`)
      openssl('req', '-new', ...key, '-subj', `/CN=${name}`, '-keyout', keyFile, '-out', request)
      const signed = [
        '-CA',
        caFile,
        '-CAkey',
        file('ca.key'),
        '-CAcreateserial',
        '-days',
        '1',
        '-extfile',
        extensions,
      ]
      openssl('x509', '-req', '-in', request, ...signed, '-out', certFile)
      return { certFile, keyFile }
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}
