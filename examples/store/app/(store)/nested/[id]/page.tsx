import { cacheLife, cacheTag } from 'next/cache'
import { connection } from 'next/server'
import { Suspense } from 'react'
import { contentTag } from '@/lib/content'
import { factsOf, type Facts } from '@/lib/facts'
import { FactsCard } from '@/lib/facts-card'
import { queryContent } from '@/lib/query-content'

interface Nested {
  outer: Facts
  inner: Facts
}

async function inner(id: string): Promise<Facts | null> {
  'use cache: remote'
  cacheLife('hours')
  cacheTag(contentTag(id), `inner:${id}`)
  const content = await queryContent(id, 'nested-inner')
  return content && factsOf('nested-inner', content)
}

async function outer(id: string): Promise<Nested | null> {
  'use cache'
  cacheLife('hours')
  cacheTag(`outer:${id}`)
  const content = await queryContent(id, 'nested-outer')
  const innerFacts = await inner(id)
  return content && innerFacts && { outer: factsOf('nested-outer', content), inner: innerFacts }
}

async function Product({ params }: { params: Promise<{ id: string }> }) {
  await connection()
  const facts = await outer((await params).id)
  if (!facts) return <p>No such product</p>
  return (
    <>
      <FactsCard facts={facts.outer} />
      <FactsCard facts={facts.inner} />
    </>
  )
}

/** One cached function within another: the outer entry inherits the tags and the life of the inner one. */
export default function NestedPage({ params }: { params: Promise<{ id: string }> }) {
  return (
    <Suspense fallback={<p>Loading</p>}>
      <Product params={params} />
    </Suspense>
  )
}
