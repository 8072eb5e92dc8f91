// A cache of previews and explanations of files that are likely to be viewed again.

import { explain, preview } from "./api.js";
import words from "./words.js";

const PREVIEWS = 6; // each up to 13 MB
const EXPLANATIONS = 40;

class Kept {
  constructor(most) {
    this.most = most;
    this.entries = new Map();
  }

  /** The answer to a request. Each request is sent once; a failed one is sent again. */
  get(name, ask) {
    const known = this.entries.get(name);
    this.entries.delete(name);
    const answer = known ?? ask();
    this.entries.set(name, answer);
    if (!known) answer.catch(() => this.entries.delete(name));
    if (this.entries.size > this.most) this.entries.delete(this.entries.keys().next().value);
    return answer;
  }
}

const previews = new Kept(PREVIEWS);
const explanations = new Kept(EXPLANATIONS);

export const previewOf = (item) => previews.get(item.id, () => preview(item));

export function explanationOf(item, question) {
  const name = `${item.id} ${JSON.stringify(question)}`;
  return explanations.get(name, () => explain(item, question));
}

/** The methods of an answer's model; only the first one while there is no answer. */
export function methodsOf(answer) {
  const has = answer?.bundle.methods ?? [words.method];
  return Object.keys(words.methods).filter((method) => has.includes(method));
}
