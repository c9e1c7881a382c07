import type { NextApiRequest, NextApiResponse } from 'next'
import { replicaName } from '@/lib/facts'

/** On-demand revalidation of the Pages Router: POST /api/revalidate?path=/legacy/p1 */
export default async function handler(request: NextApiRequest, response: NextApiResponse) {
  await response.revalidate(String(request.query.path))
  response.json({ ok: true, replica: replicaName() })
}
