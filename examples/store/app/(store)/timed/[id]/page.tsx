import { cacheLife } from 'next/cache'
import { notFound } from 'next/navigation'
import { PRERENDERED_IDS } from '@/lib/content'
import { factsOf, type Facts } from '@/lib/facts'
import { FactsCard } from '@/lib/facts-card'
import { queryContent } from '@/lib/query-content'

export function generateStaticParams() {
  return PRERENDERED_IDS.map((id) => ({ id }))
}

async function product(id: string): Promise<Facts | null> {
  'use cache'
  cacheLife({ stale: 300, revalidate: 2, expire: 3600 })
  const content = await queryContent(id, 'timed')
  return content && factsOf('timed', content)
}

/** Grows stale by time alone. */
export default async function TimedPage({ params }: { params: Promise<{ id: string }> }) {
  const facts = await product((await params).id)
  if (!facts) notFound()
  return <FactsCard facts={facts} />
}
