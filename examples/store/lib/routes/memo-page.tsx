import { unstable_cache } from 'next/cache'
import { connection } from 'next/server'
import { Suspense } from 'react'
import { contentTag, revalidateSecondsOf } from '@/lib/content'
import { factsOf } from '@/lib/facts'
import { FactsCard } from '@/lib/facts-card'
import { queryContent } from '@/lib/query-content'

async function Product({ params }: { params: Promise<{ id: string }> }) {
  await connection()
  const { id } = await params
  const readProduct = unstable_cache(
    async (productId: string) => {
      const content = await queryContent(productId, 'memo')
      return content && factsOf('memo', content)
    },
    ['product'],
    { tags: [contentTag(id)], revalidate: revalidateSecondsOf(id) },
  )
  const facts = await readProduct(id)
  return facts ? <FactsCard facts={facts} /> : <p>No such product</p>
}

/** Rendered for every request; the result of one function comes from `unstable_cache`. */
export default function MemoPage({ params }: { params: Promise<{ id: string }> }) {
  return (
    <Suspense fallback={<p>Loading</p>}>
      <Product params={params} />
    </Suspense>
  )
}
