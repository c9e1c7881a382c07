import { cacheLife, cacheTag } from 'next/cache'
import { connection } from 'next/server'
import { Suspense } from 'react'
import { contentTag } from '@/lib/content'
import { factsOf } from '@/lib/facts'
import { FactsCard } from '@/lib/facts-card'
import { queryContent } from '@/lib/query-content'

async function product(id: string) {
  'use cache'
  cacheLife('hours')
  cacheTag(contentTag(id))
  const content = await queryContent(id, 'bench-function')
  return (
    content && { facts: factsOf('bench-function', content), text: content.name.repeat(1000).slice(0, 10_000) }
  )
}

async function Product({ params }: { params: Promise<{ id: string }> }) {
  await connection()
  const found = await product((await params).id)
  if (!found) return <p>Nothing</p>
  return (
    <>
      <FactsCard facts={found.facts} />
      <p>{found.text}</p>
    </>
  )
}

/** Rendered for every request; the result of one function comes from `use cache`. */
export default function BenchFunctionPage({ params }: { params: Promise<{ id: string }> }) {
  return (
    <Suspense fallback={<p>Loading</p>}>
      <Product params={params} />
    </Suspense>
  )
}
