import { cacheLife, cacheTag } from 'next/cache'
import { notFound } from 'next/navigation'
import { CATEGORIES, contentTag } from '@/lib/content'
import { factsOf, type Facts } from '@/lib/facts'
import { FactsCard } from '@/lib/facts-card'
import { queryContent } from '@/lib/query-content'

export function generateStaticParams() {
  return CATEGORIES.map((category) => ({ category, id: 'p1' }))
}

async function product(id: string): Promise<Facts | null> {
  'use cache'
  cacheLife('hours')
  cacheTag(contentTag(id))
  const content = await queryContent(id, 'shop')
  return content && factsOf('shop', content)
}

/** Below two layouts, so that `revalidatePath` can name the page, a layout, or the route. */
export default async function ShopPage({ params }: { params: Promise<{ category: string; id: string }> }) {
  const facts = await product((await params).id)
  if (!facts) notFound()
  return <FactsCard facts={facts} />
}
