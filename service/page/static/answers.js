// Previews and explanations of files, kept for as long as they are likely to be looked at again.

import { explain, preview } from "./api.js";
import words from "./words.js";

const PREVIEWS = 6; // each up to 13 MB
const EXPLANATIONS = 40;

class Kept {
  constructor(most) {
    this.most = most;
    this.entries = new Map();
  }

  /** The answer to a question, asked once; one that failed is asked again. */
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

/** The methods that the model of an answer has; the first alone while there is no answer. */
export function methodsOf(answer) {
  const has = answer?.bundle.methods ?? [words.method];
  return Object.keys(words.methods).filter((method) => has.includes(method));
}
