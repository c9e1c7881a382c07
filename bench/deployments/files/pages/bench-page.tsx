import { cacheLife, cacheTag } from 'next/cache'
import { contentTag } from '@/lib/content'
import { factsOf } from '@/lib/facts'
import { FactsCard } from '@/lib/facts-card'
import { queryContent } from '@/lib/query-content'

/** What one render costs the origin. */
const QUERIES = 50

export function generateStaticParams() {
  return [{ id: 'built' }]
}

async function catalogue(id: string) {
  'use cache'
  cacheLife('hours')
  cacheTag(contentTag(id))
  // The first one says which version this render shows; none may be older than it.
  const [content, ...parts] = await Promise.all(
    Array.from({ length: QUERIES }, (_, index) =>
      queryContent(index === 0 ? id : `${id}.part${index}`, 'bench'),
    ),
  )
  return content && { facts: factsOf('bench', content), names: parts.map((part) => part?.name ?? '') }
}

/** A page that is kept once it was rendered: about 50 KB of markup. */
export default async function BenchPage({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params
  const found = await catalogue(id)
  if (!found) return <p>Nothing</p>
  return (
    <>
      <FactsCard facts={found.facts} />
      <ul>
        {Array.from({ length: 150 }, (_, index) => (
          <li key={index} className="product" data-index={index}>
            {found.names[index % found.names.length]}: one of the products of this catalogue
          </li>
        ))}
      </ul>
    </>
  )
}
