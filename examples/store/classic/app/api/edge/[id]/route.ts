import { factsOf } from '@/lib/facts'
import { fetchContent } from '@/lib/fetch-content'

export const runtime = 'edge'

export async function GET(_request: Request, { params }: { params: Promise<{ id: string }> }) {
  const { id } = await params
  const content = await fetchContent(id, 'api-edge', { cache: 'no-store' })
  return content
    ? Response.json(factsOf('api-edge', content))
    : Response.json({ error: 'no such product' }, { status: 404 })
}
