import { notFound } from 'next/navigation'
import { PRERENDERED_IDS } from '@/lib/content'
import { factsOf } from '@/lib/facts'
import { FactsCard } from '@/lib/facts-card'
import { queryContent } from '@/lib/query-content'

export const revalidate = 2

export function generateStaticParams() {
  return PRERENDERED_IDS.map((id) => ({ id }))
}

/** Grows stale by time alone. */
export default async function TimedPage({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params
  const content = await queryContent(id, 'timed')
  if (!content) notFound()
  return <FactsCard facts={factsOf('timed', content)} />
}
