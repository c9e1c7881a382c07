import { cacheLife, cacheTag } from 'next/cache'
import { connection } from 'next/server'
import { Suspense } from 'react'
import { contentTag, revalidateSecondsOf } from '@/lib/content'
import { factsOf, type Facts } from '@/lib/facts'
import { FactsCard } from '@/lib/facts-card'
import { queryContent } from '@/lib/query-content'

async function product(id: string): Promise<Facts | null> {
  'use cache'
  cacheLife({ stale: 300, revalidate: revalidateSecondsOf(id), expire: 86_400 })
  cacheTag(contentTag(id))
  const content = await queryContent(id, 'local')
  return content && factsOf('local', content)
}

async function Product({ params }: { params: Promise<{ id: string }> }) {
  await connection()
  const facts = await product((await params).id)
  return facts ? <FactsCard facts={facts} /> : <p>No such product</p>
}

/** Rendered for every request; the result of one function comes from `use cache`. */
export default function LocalPage({ params }: { params: Promise<{ id: string }> }) {
  return (
    <Suspense fallback={<p>Loading</p>}>
      <Product params={params} />
    </Suspense>
  )
}
