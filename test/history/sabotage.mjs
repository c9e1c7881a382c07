// Bugs to put into a replica, to see that the checker finds them: patches of the compiled modules, made in the
// replica's process before it creates its runtime.

export const SABOTAGES = {
  fence: {
    what: 'an entry is as new as the moment it is stored, not as the moment its generation began',
    apply(load) {
      const { Cache } = load('runtime/cache/cache.js')
      const { write } = expectMethod(Cache, 'write')
      Cache.prototype.write = function (scope, key, entry) {
        return write.call(this, scope, key, { ...entry, fence: this.parts.store.latestClock })
      }
    },
  },
  gap: {
    what: 'messages that the bus missed go unnoticed',
    apply(load) {
      const { Bus } = load('runtime/bus/bus.js')
      expectMethod(Bus, 'gap')
      Bus.prototype.gap = function (clock) {
        this.clockHeard = Math.max(this.clockHeard, clock)
      }
    },
  },
  overwrite: {
    what: 'an overwritten entry stays proven in memory',
    apply(load) {
      const { LocalEntries } = load('runtime/cache/local-entries.js')
      expectMethod(LocalEntries, 'overwritten')
      LocalEntries.prototype.overwritten = () => {}
    },
  },
}

/** A patch of something that is no longer there would prove nothing. */
function expectMethod({ name, prototype }, method) {
  if (typeof prototype[method] !== 'function')
    throw new Error(`${name} has no ${method} to sabotage any more`)
  return prototype
}
