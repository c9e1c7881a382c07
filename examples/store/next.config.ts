import { withDistributedCache } from 'next-distributed-cache'
import { nextConfig, wrapperOptions } from './store.config'

export default withDistributedCache(nextConfig, wrapperOptions)
