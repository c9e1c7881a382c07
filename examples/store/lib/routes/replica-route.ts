import { connection } from 'next/server'
import { replicaName } from '@/lib/facts'

export async function GET() {
  await connection()
  return Response.json({ replica: replicaName(), pid: process.pid })
}
