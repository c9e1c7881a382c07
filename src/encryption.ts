import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { DistributedCacheError } from './errors'
import type { Bytes } from './units'

/**
 * Authenticated encryption of records: AES-256-GCM. Every record has a key and nonce of its own, derived by
 * HKDF-SHA-256 from the configured key and a random 256-bit salt: with random 96-bit nonces under one key, the
 * fleet would have to count its writes (2^32 per key), with this nobody has to.
 *
 * ```
 * id of the configured key | salt (32) | ciphertext | tag (16)
 * ```
 *
 * Keys are held as KeyObjects, which no log line, inspection or heap print shows.
 */
export interface Keyring {
  /** Id of the key that encrypts; every key of the ring decrypts. */
  readonly first: string
  readonly keys: ReadonlyMap<string, KeyObject>
}

const ALGORITHM = 'aes-256-gcm'
const KEY_BYTES: Bytes = 32
const NONCE_BYTES: Bytes = 12
const SALT_BYTES: Bytes = 32
const TAG_BYTES: Bytes = 16
/** Longest id of a key, which stands in the clear in every record. */
export const MAX_KEY_ID_BYTES: Bytes = 32
/** What a sealed record has more than a plain one, besides the id of its key. */
export const SEAL_BYTES: Bytes = SALT_BYTES + TAG_BYTES

const VARIABLE = 'DISTRIBUTED_CACHE_ENCRYPTION_KEYS'

/** @throws INVALID_ENVIRONMENT, which names the position of what is wrong and repeats nothing of it */
export function parseKeyring(text: string): Keyring {
  const keys = new Map<string, KeyObject>()
  for (const [index, part] of text.split(',').entries()) {
    const which = `Key ${index + 1} in ${VARIABLE}`
    const fail = (what: string, fix: string): never => {
      throw new DistributedCacheError('INVALID_ENVIRONMENT', `${which} ${what}. ${fix}`)
    }
    const [, id, encoded] = /^([^:]*):(.*)$/s.exec(part.trim()) ?? fail('has no id', howTo())
    if (id === undefined || !/^[\w.-]+$/.test(id) || id.length > MAX_KEY_ID_BYTES)
      fail(
        'has an unusable id',
        `Use 1 to ${MAX_KEY_ID_BYTES} letters, digits, ".", "_" or "-" before the ":".`,
      )
    if (keys.has(id as string)) fail('has the id of another one', 'Give every key its own id.')
    const bytes = Buffer.from(encoded ?? '', 'base64')
    // Node skips what is not base64; a key that lost a character must not silently be another key.
    if (bytes.length !== KEY_BYTES || !/^[A-Za-z0-9+/_-]{43}=?$/.test(encoded ?? ''))
      fail(`is not ${KEY_BYTES} bytes in base64`, howTo())
    keys.set(id as string, createSecretKey(bytes))
    bytes.fill(0)
  }
  return { first: keys.keys().next().value as string, keys }
}

function howTo(): string {
  return `Write id:key, several separated by commas; "openssl rand -base64 ${KEY_BYTES}" makes a key.`
}

/** Encrypts under the first key; what it adds to the chunks is `SEAL_BYTES` and the id long. */
export function seal(
  ring: Keyring,
  chunks: readonly Uint8Array[],
  authenticated: readonly Uint8Array[],
): Buffer[] {
  const salt = randomBytes(SALT_BYTES)
  const { key, nonce } = derive(ring.keys.get(ring.first) as KeyObject, salt)
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(Buffer.concat(authenticated))
  const sealed = chunks.map((chunk) => cipher.update(chunk))
  cipher.final()
  return [Buffer.from(ring.first), salt, ...sealed, cipher.getAuthTag()]
}

/** What was sealed; or why it is not to be trusted. Never throws. */
export function unseal(
  ring: Keyring,
  sealed: Buffer,
  keyIdBytes: Bytes,
  authenticated: readonly Uint8Array[],
): Buffer | 'key' | 'authentication' {
  if (sealed.length < keyIdBytes + SEAL_BYTES) return 'authentication'
  const configured = ring.keys.get(sealed.toString('latin1', 0, keyIdBytes))
  if (configured === undefined) return 'key'
  const { key, nonce } = derive(configured, sealed.subarray(keyIdBytes, keyIdBytes + SALT_BYTES))
  try {
    const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES })
    decipher.setAAD(Buffer.concat(authenticated))
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
    const opened = decipher.update(sealed.subarray(keyIdBytes + SALT_BYTES, sealed.length - TAG_BYTES))
    // Before this succeeds nothing of it may be looked at.
    decipher.final()
    return opened
  } catch {
    return 'authentication'
  }
}

function derive(configured: KeyObject, salt: Uint8Array): { key: Buffer; nonce: Buffer } {
  const bytes = Buffer.from(
    hkdfSync('sha256', configured, salt, 'next-distributed-cache record', KEY_BYTES + NONCE_BYTES),
  )
  return { key: bytes.subarray(0, KEY_BYTES), nonce: bytes.subarray(KEY_BYTES) }
}
