/** What the origin answers for one product. */
export interface Content {
  id: string
  version: number
  /** Different in every answer of the origin: equal serials mean one and the same answer, read from a cache. */
  serial: number
  name: string
  price: number
}

/** Paths that are prerendered at build: `p1` and so on. Every other id is rendered when it is first asked for. */
export const PRERENDERED_IDS = Array.from(
  { length: Number(process.env.STORE_PRERENDER ?? 2) },
  (_, index) => `p${index + 1}`,
)

export const CATEGORIES = ['books', 'garden']

/** Seconds until a product is old. Ids that begin with `timed-` grow old while a test waits for it. */
export function revalidateSecondsOf(id: string): number {
  return id.startsWith('timed-') ? 2 : 3600
}

/** The tag of one product, whatever reads it. */
export function contentTag(id: string): string {
  return `content:${id}`
}

/** Names the reader too, so that each kind of cache can be counted at the origin on its own. */
export function contentUrl(id: string, reader: string): string {
  const origin = process.env.ORIGIN_URL
  if (!origin) throw new Error('Set ORIGIN_URL to the URL that `node origin/server.mjs` prints.')
  return `${origin}/content/${encodeURIComponent(id)}?reader=${encodeURIComponent(reader)}`
}
