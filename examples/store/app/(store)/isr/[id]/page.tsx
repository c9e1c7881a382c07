import { cacheLife, cacheTag } from 'next/cache'
import { notFound, redirect } from 'next/navigation'
import { contentTag, PRERENDERED_IDS } from '@/lib/content'
import { factsOf, type Facts } from '@/lib/facts'
import { FactsCard } from '@/lib/facts-card'
import { queryContent } from '@/lib/query-content'

export function generateStaticParams() {
  return PRERENDERED_IDS.map((id) => ({ id }))
}

async function product(id: string): Promise<Facts | null> {
  'use cache'
  cacheLife('hours')
  cacheTag(contentTag(id), 'products')
  const content = await queryContent(id, 'isr')
  return content && factsOf('isr', content)
}

/** Nothing here depends on the request: the whole page is prerendered, or kept once it was rendered. */
export default async function IsrPage({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params
  if (id.startsWith('moved-')) redirect(`/isr/${id.slice('moved-'.length)}`)
  const facts = await product(id)
  if (!facts) notFound()
  return <FactsCard facts={facts} />
}
