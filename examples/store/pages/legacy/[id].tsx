import type { GetStaticPaths, GetStaticProps } from 'next'
import { PRERENDERED_IDS } from '@/lib/content'
import { factsOf, type Facts } from '@/lib/facts'
import { FactsCard } from '@/lib/facts-card'
import { queryContent } from '@/lib/query-content'

export const getStaticPaths: GetStaticPaths = () => ({
  paths: PRERENDERED_IDS.map((id) => ({ params: { id } })),
  fallback: 'blocking',
})

export const getStaticProps: GetStaticProps<{ facts: Facts }> = async ({ params }) => {
  const id = String(params?.id)
  // Ids that begin with `brief-` grow stale by time within a test's patience.
  const revalidate = id.startsWith('brief-') ? 2 : 3600
  if (id.startsWith('moved-')) {
    return { redirect: { destination: `/legacy/${id.slice('moved-'.length)}`, permanent: false }, revalidate }
  }
  const content = await queryContent(id, 'legacy')
  return content
    ? { props: { facts: factsOf('legacy', content) }, revalidate }
    : { notFound: true, revalidate }
}

/** The Pages Router's incremental static regeneration. */
export default function LegacyPage({ facts }: { facts: Facts }) {
  return <FactsCard facts={facts} />
}
