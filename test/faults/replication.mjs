// What a failover needs of single servers, in a Cluster and below sentinels alike.
import { until } from './support.mjs'

/** A replica hears nothing of its primary from now on, and keeps what it has: its next failover loses writes. */
export async function cutOff(replica) {
  await replica.command('CONFIG', 'SET', 'masteruser', 'nobody')
  await replica.command('CONFIG', 'SET', 'masterauth', 'wrong')
  await replica.command('CLIENT', 'KILL', 'TYPE', 'master')
  await until(async () => (await replicationOf(replica)).includes('master_link_status:down'))
}

export async function letIn(replica) {
  await replica.command('CONFIG', 'SET', 'masteruser', '')
  await replica.command('CONFIG', 'SET', 'masterauth', '')
}

export const untilPrimary = (server, limitMs) =>
  until(async () => (await roleOf(server)) === 'master', limitMs)

export async function untilFollowing(server) {
  await until(async () => (await replicationOf(server)).includes('master_link_status:up'))
}

const roleOf = async (server) => (await server.command('ROLE'))[0]
const replicationOf = async (server) => String(await server.command('INFO', 'replication'))
