import { parseRedisPlace } from '../../src/redis-topology'
import type { CreateClient } from './client'
import { createClusterClient } from './cluster'
import type { OpenLink } from './link'
import { throughSentinels } from './sentinel'
import { createServerClient } from './server-client'
import { withTlsFiles } from './tls-files'

/** Builds the client over one driver's links. */
export function createClientOver(driverLink: OpenLink): CreateClient {
  const openLink = withTlsFiles(driverLink)
  return ({ url, topology = 'single', homeKey = '', onCircuit, connectMs, commandMs, clientName }) => {
    const place = parseRedisPlace(url, topology)
    const settings = { connectMs, commandMs, clientName }
    switch (place.topology) {
      case 'single':
        return createServerClient(
          { commands: openLink, subscriptions: openLink },
          { ...settings, target: place.target },
        )
      case 'sentinel':
        return createServerClient(throughSentinels(openLink, place, settings), {
          ...settings,
          target: place.target,
          primaryOnly: true,
        })
      case 'cluster':
        return createClusterClient(openLink, place.seeds, { ...settings, homeKey, onCircuit })
    }
  }
}
