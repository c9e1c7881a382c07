import { control, type ControlRequest } from '@/lib/control'
import { replicaName } from '@/lib/facts'

/** An invalidation from outside, as a content system's webhook would send it. */
export async function POST(request: Request) {
  const body: ControlRequest = await request.json()
  await control(body)
  return Response.json({ ok: true, replica: replicaName() })
}
