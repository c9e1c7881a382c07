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
  cacheLife('hours')
  const content = await queryContent(id, 'plain')
  return content && factsOf('plain', content)
}

/** A page without tags of its own: only its path names it. */
export default async function PlainPage({ params }: { params: Promise<{ id: string }> }) {
  const facts = await product((await params).id)
  if (!facts) notFound()
  return <FactsCard facts={facts} />
}
