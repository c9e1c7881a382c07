import { notFound } from 'next/navigation'
import { contentTag, PRERENDERED_IDS } from '@/lib/content'
import { factsOf } from '@/lib/facts'
import { FactsCard } from '@/lib/facts-card'
import { fetchContent } from '@/lib/fetch-content'

export const revalidate = false
export const dynamic = 'force-static'

export function generateStaticParams() {
  return PRERENDERED_IDS.map((id) => ({ id }))
}

/** Never grows stale by time: only an invalidation changes it. */
export default async function ForeverPage({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params
  const content = await fetchContent(id, 'forever', {
    cache: 'force-cache',
    next: { tags: [contentTag(id)] },
  })
  if (!content) notFound()
  return <FactsCard facts={factsOf('forever', content)} />
}
