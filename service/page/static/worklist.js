// The files and their states. A few are sent at a time; requests can be stopped and repeated.

import { classify } from "./api.js";
import { sniff } from "./sniff.js";
import { Store } from "./store.js";
import words from "./words.js";

const AT_ONCE = 2; // the service can take more, but others use it too

export const WAITING = "waiting";
export const RUNNING = "running";
export const BUSY = "busy";
export const DONE = "done";
export const REFUSED = "refused";
export const FAILED = "failed";
export const STOPPED = "stopped";

const OPEN = [WAITING, RUNNING, BUSY];
const AGAIN = [FAILED, STOPPED];

export class Worklist extends Store {
  constructor() {
    super({ items: [], selected: null, keyWanted: "" });
    this.nextId = 1;
    this.running = 0;
    this.stopping = new AbortController();
  }

  get selected() {
    return this.value.items.find((item) => item.id === this.value.selected) ?? null;
  }

  async add(files) {
    const kinds = await Promise.all(files.map((file) => sniff(file).catch(() => null)));
    const items = files.map((file, i) => this.#item(file, kinds[i]));
    this.set({ items: [...this.value.items, ...items] });
    if (this.value.selected === null && items.length) this.select(items[0].id);
    this.#goOn();
  }

  select(id) {
    this.set({ selected: id });
  }

  stop() {
    this.stopping.abort();
    this.stopping = new AbortController();
    this.#change((item) => (OPEN.includes(item.state) ? { ...item, state: STOPPED, message: "Stopped." } : item));
  }

  /** Repeats failed and stopped files; `id`: only this one. */
  again(id = null) {
    const chosen = (item) => AGAIN.includes(item.state) && (id === null || item.id === id);
    this.#change((item) => (chosen(item) ? { ...item, state: WAITING, message: "" } : item));
    this.#goOn();
  }

  clear() {
    this.stop();
    this.set({ items: [], selected: null });
  }

  wantKey(message) {
    this.set({ keyWanted: message });
  }

  keyGiven() {
    this.set({ keyWanted: "" });
    this.#goOn();
  }

  #item(file, kind) {
    const { name, size } = file;
    const item = { id: this.nextId++, file, name, size, message: "", code: "", answer: null, came: performance.now() };
    if (!kind) return { ...item, kind: "", mediaType: "", state: FAILED, message: "The file cannot be read." };
    const fits = size <= words.maxBytes;
    const state = fits ? { state: WAITING } : { state: REFUSED, message: words.tooLarge, code: "body_too_large" };
    return { ...item, kind: kind.name, mediaType: kind.mediaType, ...state };
  }

  #goOn() {
    while (this.running < AT_ONCE && !this.value.keyWanted) {
      const next = this.value.items.find((item) => item.state === WAITING);
      if (!next) return;
      this.running += 1;
      this.#work(next).finally(() => {
        this.running -= 1;
        this.#goOn();
      });
    }
  }

  async #work(item) {
    const { signal } = this.stopping;
    this.#update(item.id, { state: RUNNING, message: "" });
    const asked = { ...item, onBusy: () => this.#update(item.id, { state: BUSY }) };
    try {
      const answer = await classify(asked, signal);
      this.#update(item.id, { state: DONE, answer });
    } catch (error) {
      if (!signal.aborted) this.#failed(item.id, error);
    }
  }

  #failed(id, error) {
    if (error.wantsKey) {
      this.#update(id, { state: WAITING });
      this.wantKey(error.message);
      return;
    }
    const theFile = error.status >= 400 && error.status < 500 && ![408, 429].includes(error.status);
    this.#update(id, { state: theFile ? REFUSED : FAILED, message: error.message, code: error.code ?? "" });
  }

  #update(id, changes) {
    this.#change((item) => (item.id === id ? { ...item, ...changes } : item));
  }

  #change(of) {
    this.set({ items: this.value.items.map(of) });
  }
}

export const isOpen = (item) => OPEN.includes(item.state);
export const isAgain = (item) => AGAIN.includes(item.state);
