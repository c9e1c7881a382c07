import { notFound, redirect } from 'next/navigation'
import { contentTag, PRERENDERED_IDS } from '@/lib/content'
import { factsOf } from '@/lib/facts'
import { FactsCard } from '@/lib/facts-card'
import { fetchContent } from '@/lib/fetch-content'

export const revalidate = 3600

export function generateStaticParams() {
  return PRERENDERED_IDS.map((id) => ({ id }))
}

/** Incremental static regeneration: the page carries the tags of what it fetched. */
export default async function IsrPage({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params
  if (id.startsWith('moved-')) redirect(`/isr/${id.slice('moved-'.length)}`)
  const content = await fetchContent(id, 'isr', { next: { tags: [contentTag(id), 'products'] } })
  if (!content) notFound()
  return <FactsCard facts={factsOf('isr', content)} />
}
