import { factsOf } from '@/lib/facts'
import { FactsCard } from '@/lib/facts-card'
import { fetchContent } from '@/lib/fetch-content'

export const runtime = 'edge'

/** The edge runtime has no shared cache: this page only has to build and to work. */
export default async function EdgePage({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params
  const content = await fetchContent(id, 'edge', { cache: 'no-store' })
  return content ? <FactsCard facts={factsOf('edge', content)} /> : <p>No such product</p>
}
