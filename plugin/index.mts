// The door for `import`; there is one implementation, in CommonJS.
export { withDistributedCache } from './index.js'
export type { Codec, DistributedCacheOptions, Driver, Preset } from './index.js'
