// A value that views can observe.

import { useEffect, useState } from "./vendor/htm-preact.js";

export class Store {
  constructor(value) {
    this.value = value;
    this.watchers = new Set();
  }

  set(changes) {
    this.value = { ...this.value, ...changes };
    for (const watcher of this.watchers) watcher(this.value);
  }

  watch(watcher) {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }
}

export function useStore(store) {
  const [value, setValue] = useState(store.value);
  useEffect(() => {
    setValue(store.value);
    return store.watch(setValue);
  }, [store]);
  return value;
}
