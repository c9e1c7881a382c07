import { cacheLife, cacheTag } from 'next/cache'
import { contentTag, PRERENDERED_IDS, revalidateSecondsOf } from '@/lib/content'
import { factsOf, type Facts } from '@/lib/facts'
import { queryContent } from '@/lib/query-content'

export function generateStaticParams() {
  return PRERENDERED_IDS.map((id) => ({ id }))
}

async function product(id: string): Promise<Facts | null> {
  'use cache'
  cacheLife({ stale: 300, revalidate: revalidateSecondsOf(id), expire: 86_400 })
  cacheTag(contentTag(id))
  const content = await queryContent(id, 'api-cached')
  return content && factsOf('api-cached', content)
}

/** A route handler whose whole response is kept, since nothing in it depends on the request. */
export async function GET(_request: Request, { params }: { params: Promise<{ id: string }> }) {
  const facts = await product((await params).id)
  return facts ? Response.json(facts) : Response.json({ error: 'no such product' }, { status: 404 })
}
