import { contentTag, PRERENDERED_IDS, revalidateSecondsOf } from '@/lib/content'
import { factsOf } from '@/lib/facts'
import { fetchContent } from '@/lib/fetch-content'

export const dynamic = 'force-static'
export const revalidate = 3600

export function generateStaticParams() {
  return PRERENDERED_IDS.map((id) => ({ id }))
}

/** A route handler whose whole response is kept. */
export async function GET(_request: Request, { params }: { params: Promise<{ id: string }> }) {
  const { id } = await params
  const content = await fetchContent(id, 'api-cached', {
    next: { tags: [contentTag(id)], revalidate: revalidateSecondsOf(id) },
  })
  return content
    ? Response.json(factsOf('api-cached', content))
    : Response.json({ error: 'no such product' }, { status: 404 })
}
