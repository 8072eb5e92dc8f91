// The worklist: every file with its state; a refused file with the reason.

import { html } from "../vendor/htm-preact.js";
import { csv } from "../csv.js";
import { download } from "../download.js";
import { capital, figure, size } from "../figures.js";
import { Intake } from "./intake.js";
import { BUSY, DONE, FAILED, REFUSED, RUNNING, STOPPED, isAgain, isOpen } from "../worklist.js";
import words from "../words.js";

export function List({ worklist, items, selected, add }) {
  const open = items.filter(isOpen).length;
  const again = items.filter(isAgain).length;
  const save = () => download(new Blob([csv(items)], { type: "text/csv" }), "radiographs.csv");
  return html`
    <section class="card list" aria-labelledby="list-title">
      <div class="row spread">
        <h2 id="list-title">Files</h2>
        <p class="muted small" role="status">${items.length - open} of ${items.length} done</p>
      </div>
      ${items.length > 1 &&
      html`<progress aria-label="Files done" max=${items.length} value=${items.length - open}></progress>`}
      <ul class="items">
        ${items.map((item) => html`<li key=${item.id}><${Row} worklist=${worklist} item=${item} selected=${selected} /></li>`)}
      </ul>
      <div class="row actions">
        <${Intake} add=${add} some />
        ${open > 0 && html`<button onClick=${() => worklist.stop()}>Stop</button>`}
        ${again > 0 && html`<button onClick=${() => worklist.again()}>Try again</button>`}
        <button onClick=${save}>Save as CSV</button>
        <button onClick=${() => worklist.clear()}>Clear</button>
      </div>
    </section>
  `;
}

function Row({ worklist, item, selected }) {
  const current = item.id === selected;
  return html`
    <button class="item" aria-current=${current ? "true" : undefined} onClick=${() => worklist.select(item.id)}>
      <span class="file">${item.name}</span>
      <span class="muted small kind">${item.kind}, ${size(item.size)}</span>
      <${State} item=${item} />
    </button>
  `;
}

const STATES = { [RUNNING]: "In progress", [BUSY]: "The service is busy: waiting", [STOPPED]: "Stopped" };

function State({ item }) {
  if (item.state === DONE) {
    const { prediction, probabilities } = item.answer;
    return html`<span class="state">${capital(words.labels[prediction])} ${figure(probabilities[prediction])}</span>`;
  }
  if (item.state === REFUSED || item.state === FAILED) {
    const what = item.state === REFUSED ? "Refused" : "Failed";
    return html`<span class="state bad" role="alert">${what}: ${item.message}</span>`;
  }
  return html`<span class="state muted">${STATES[item.state] ?? "Waiting"}</span>`;
}
