// The choice of method, class and network for the explanation. The user need not choose the file again.

import { html } from "../vendor/htm-preact.js";
import { Choices } from "./choices.js";
import { methodsOf } from "../answers.js";
import words from "../words.js";

const TARGETS = [["predicted", "Predicted"], ...Object.entries(words.labels)];

export function Question({ answer, question, ask }) {
  const members = answer?.members ?? [];
  const methods = methodsOf(answer).map((method) => [method, words.methods[method]]);
  const choose = (name) => (value) => ask({ ...question, [name]: value });
  const whose = [["", "Explaining network"], ...members.map(({ name }) => [name, name]), [words.ensemble, "Mean of all"]];
  const { method, target, member } = question;
  return html`
    <div class="question">
      <${Choices} legend="Method" name="method" options=${methods} value=${method} choose=${choose("method")} />
      <${Choices} legend="Evidence for" name="target" options=${TARGETS} value=${target} choose=${choose("target")} />
      ${members.length > 1 &&
      html`<label class="field">
        <span>Map of</span>
        <select value=${member} onChange=${(event) => choose("member")(event.target.value)}>
          ${whose.map(([value, name]) => html`<option value=${value}>${name}</option>`)}
        </select>
      </label>`}
    </div>
  `;
}
