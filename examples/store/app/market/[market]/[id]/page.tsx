import { cacheLife, cacheTag } from 'next/cache'
import { notFound } from 'next/navigation'
import { market } from 'next/root-params'
import { contentTag } from '@/lib/content'
import { factsOf, type Facts } from '@/lib/facts'
import { FactsCard } from '@/lib/facts-card'
import { queryContent } from '@/lib/query-content'

export function generateStaticParams() {
  return [{ id: 'p1' }]
}

/** Reads a root parameter without being handed it: Next adds it to the key once it has seen that. */
async function product(id: string): Promise<Facts | null> {
  'use cache: remote'
  cacheLife('hours')
  cacheTag(contentTag(id))
  const content = await queryContent(id, `market-${await market()}`)
  return content && factsOf('market', content)
}

export default async function MarketPage({ params }: { params: Promise<{ id: string }> }) {
  const facts = await product((await params).id)
  if (!facts) notFound()
  return <FactsCard facts={facts} />
}
