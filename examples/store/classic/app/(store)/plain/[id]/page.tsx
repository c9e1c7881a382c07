import { notFound } from 'next/navigation'
import { PRERENDERED_IDS } from '@/lib/content'
import { factsOf } from '@/lib/facts'
import { FactsCard } from '@/lib/facts-card'
import { queryContent } from '@/lib/query-content'

export const revalidate = 3600

export function generateStaticParams() {
  return PRERENDERED_IDS.map((id) => ({ id }))
}

/** A page without tags of its own: only its path names it. */
export default async function PlainPage({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params
  const content = await queryContent(id, 'plain')
  if (!content) notFound()
  return <FactsCard facts={factsOf('plain', content)} />
}
