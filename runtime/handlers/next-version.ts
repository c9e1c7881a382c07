/** What differs between the supported versions of Next.js, as far as a handler is concerned. */
export interface NextAbilities {
  /** `get` may return `cacheControl`, and Next prefers it to what this process remembers: from 16.4. */
  readonly honoursCacheControl: boolean
  /** A response past its `expire` is rendered before it is answered: from 16.3. */
  readonly enforcesExpire: boolean
}

/** Abilities of a version; of the newest one when it cannot be told. */
export function abilitiesOf(version: string | undefined): NextAbilities {
  const [, major, minor] = /^(\d+)\.(\d+)\./.exec(version ?? '') ?? []
  const release = major === undefined ? Infinity : Number(major) * 1000 + Number(minor)
  return { honoursCacheControl: release >= 16_004, enforcesExpire: release >= 16_003 }
}

/** The version that this process runs. */
export function installedNextVersion(): string | undefined {
  try {
    return (require('next/package.json') as { version?: string }).version
  } catch {
    return undefined
  }
}
