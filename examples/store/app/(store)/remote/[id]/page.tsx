import { cacheLife, cacheTag } from 'next/cache'
import { connection } from 'next/server'
import { Suspense } from 'react'
import { contentTag, revalidateSecondsOf } from '@/lib/content'
import { factsOf, type Facts } from '@/lib/facts'
import { FactsCard } from '@/lib/facts-card'
import { queryContent } from '@/lib/query-content'

/** Ids that begin with `brief-` live for seconds, so that a test can wait for stale and for expired. */
const BRIEF = { stale: 0, revalidate: 2, expire: 5 }

async function product(id: string): Promise<Facts | null> {
  'use cache: remote'
  if (id.startsWith('brief-')) cacheLife(BRIEF)
  else cacheLife({ stale: 300, revalidate: revalidateSecondsOf(id), expire: 86_400 })
  cacheTag(contentTag(id))
  const content = await queryContent(id, 'remote')
  return content && factsOf('remote', content)
}

async function Product({ params }: { params: Promise<{ id: string }> }) {
  await connection()
  const facts = await product((await params).id)
  return facts ? <FactsCard facts={facts} /> : <p>No such product</p>
}

/** Rendered for every request; the result of one function comes from `use cache: remote`. */
export default function RemotePage({ params }: { params: Promise<{ id: string }> }) {
  return (
    <Suspense fallback={<p>Loading</p>}>
      <Product params={params} />
    </Suspense>
  )
}
