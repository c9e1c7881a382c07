// The handlers of an application that had some before it added this package: one of TypeScript, one an ES
// module. Each says on the console what it is asked to do.

const config = `import { withDistributedCache } from 'next-distributed-cache'
import { nextConfig, wrapperOptions } from './store.config'

export default withDistributedCache(
  {
    ...nextConfig,
    cacheHandler: './handlers/response-handler.ts',
    cacheHandlers: { default: './handlers/use-cache-handler.mjs' },
  },
  wrapperOptions,
)
`

const say = `export function say(...words: string[]): void {
  console.log('[own]', ...words)
}
`

const responseHandler = `import { say } from './say'

interface Kept {
  value: unknown
  lastModified: number
}

const kept = new Map<string, Kept>()

export default class ResponseHandler {
  async get(key: string): Promise<Kept | null> {
    return kept.get(key) ?? null
  }
  async set(key: string, value: unknown): Promise<void> {
    say('set response')
    kept.set(key, { value, lastModified: Date.now() })
  }
  async revalidateTag(tags: string | string[]): Promise<void> {
    say('revalidateTag', String(tags))
    kept.clear()
  }
  resetRequestCache(): void {}
}
`

const useCacheHandler = `const kept = new Map()

export default {
  async get(key) {
    const entry = kept.get(key)
    return entry && { ...entry, value: new Blob(entry.chunks).stream() }
  },
  async set(key, pending) {
    const entry = await pending
    const chunks = []
    for await (const chunk of entry.value) chunks.push(chunk)
    console.log('[own] set use cache')
    kept.set(key, { ...entry, chunks })
  },
  async refreshTags() {},
  async getExpiration() {
    return 0
  },
  async updateTags(tags) {
    console.log('[own] updateTags', String(tags))
    kept.clear()
  },
}
`

/** Files that turn the store into such an application. */
export const ownHandlers: Readonly<Record<string, string>> = {
  'next.config.ts': config,
  'handlers/say.ts': say,
  'handlers/response-handler.ts': responseHandler,
  'handlers/use-cache-handler.mjs': useCacheHandler,
}
