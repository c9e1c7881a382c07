import { notFound } from 'next/navigation'
import { CATEGORIES, contentTag } from '@/lib/content'
import { factsOf } from '@/lib/facts'
import { FactsCard } from '@/lib/facts-card'
import { fetchContent } from '@/lib/fetch-content'

export const revalidate = 3600

export function generateStaticParams() {
  return CATEGORIES.map((category) => ({ category, id: 'p1' }))
}

/** Below two layouts, so that `revalidatePath` can name the page, a layout, or the route. */
export default async function ShopPage({ params }: { params: Promise<{ category: string; id: string }> }) {
  const { id } = await params
  const content = await fetchContent(id, 'shop', { next: { tags: [contentTag(id)] } })
  if (!content) notFound()
  return <FactsCard facts={factsOf('shop', content)} />
}
