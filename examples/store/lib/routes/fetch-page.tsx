import { connection } from 'next/server'
import { Suspense } from 'react'
import { contentTag, revalidateSecondsOf } from '@/lib/content'
import { factsOf } from '@/lib/facts'
import { FactsCard } from '@/lib/facts-card'
import { fetchContent } from '@/lib/fetch-content'

async function Product({ params }: { params: Promise<{ id: string }> }) {
  await connection()
  const { id } = await params
  const content = await fetchContent(id, 'fetch', {
    cache: 'force-cache',
    next: { tags: [contentTag(id)], revalidate: revalidateSecondsOf(id) },
  })
  return content ? <FactsCard facts={factsOf('fetch', content)} /> : <p>No such product</p>
}

/** Rendered for every request; only what it fetched comes from a cache. */
export default function FetchPage({ params }: { params: Promise<{ id: string }> }) {
  return (
    <Suspense fallback={<p>Loading</p>}>
      <Product params={params} />
    </Suspense>
  )
}
