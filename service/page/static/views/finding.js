// The finding: first the labels that cannot be ruled out, then figures with their caveat, then statement and warnings.

import { html } from "../vendor/htm-preact.js";
import { capital, figure, percent } from "../figures.js";
import { DONE, FAILED, REFUSED, STOPPED } from "../worklist.js";
import words from "../words.js";

const LABELS = Object.keys(words.labels);
const CAVEATS = {
  false: "A map shows what raised one network's score, not where disease is.",
  true: "Trained on radiologists' boxes: this map estimates where they would mark an opacity. It is not evidence for a class.",
};

export function Finding({ item, shown, again }) {
  return html`
    <section class="card finding" aria-labelledby="finding-title">
      ${item?.state === DONE
        ? html`<${Found} item=${item} shown=${shown} />`
        : html`<${NotFound} item=${item} again=${again} />`}
    </section>
  `;
}

function NotFound({ item, again }) {
  const ended = [REFUSED, FAILED, STOPPED].includes(item?.state);
  return html`
    <h2 id="finding-title">${ended ? "No answer for this file" : "In progress"}</h2>
    ${item && html`<p class="file muted small">${item.name}</p>`}
    ${ended
      ? html`<p class="warning">${item.message}</p>`
      : html`<p class="muted">The service decodes and classifies the radiograph.</p>`}
    ${[FAILED, STOPPED].includes(item?.state) && html`<button onClick=${() => again(item.id)}>Try again</button>`}
  `;
}

function Found({ item, shown }) {
  const { answer } = item;
  return html`
    <h2 id="finding-title">What cannot be ruled out</h2>
    <div class="set" role="status">
      ${answer.prediction_set.map((label) => html`<span class="chip">${words.labels[label]}</span>`)}
      <p>${answer.prediction_set_text}</p>
    </div>
    ${answer.warnings.map((warning) => html`<p class="warning">${warning}</p>`)}
    <${Probabilities} answer=${answer} />
    <${Statement} shown=${shown} />
    <${Members} members=${answer.members} />
    <${Origin} item=${item} />
  `;
}

function Probabilities({ answer }) {
  return html`
    <table class="bars">
      <caption>
        Probability of each class
      </caption>
      <thead class="visually-hidden">
        <tr>
          <th scope="col">Class</th>
          <th scope="col">Bar</th>
          <th scope="col">Probability</th>
        </tr>
      </thead>
      <tbody>
        ${LABELS.map((label) => html`<${Bar} label=${label} p=${answer.probabilities[label]} answer=${answer} />`)}
      </tbody>
    </table>
    <p class="caveat muted small">
      Calibrated on other hospitals: at yours it may be far off, as the model card says. Three classes only: other
      findings are not looked for.
    </p>
  `;
}

function Bar({ label, p, answer }) {
  const inSet = answer.prediction_set.includes(label);
  return html`
    <tr class=${inSet ? "in-set" : ""}>
      <th scope="row">${capital(words.labels[label])}</th>
      <td class="track" aria-hidden="true"><div class="bar" style=${{ width: `${100 * p}%` }}></div></td>
      <td class="number">${figure(p)}</td>
    </tr>
  `;
}

function Statement({ shown }) {
  const { explanation, message, asking, again } = shown;
  if (!explanation) {
    return html`
      <h3>Statement</h3>
      ${asking && html`<p class="muted" role="status">The map is being made.</p>`}
      ${message && html`<p class="warning" role="alert">${message}</p>`}
      ${message && html`<button onClick=${again}>Request the map again</button>`}
    `;
  }
  const { statement, warnings } = explanation;
  const words_ = warnings.reduce((text, warning) => text.replace(warning, ""), statement).trim();
  return html`
    <h3>Statement</h3>
    <p class="statement">${words_}</p>
    ${warnings.map((warning) => html`<p class="warning">${warning}</p>`)}
    <p class="caveat muted small">${CAVEATS[words.taught.includes(explanation.method)]}</p>
    <${Zones} explanation=${explanation} />
  `;
}

function Zones({ explanation }) {
  const names = explanation.no_lungs ? words.thirds : words.zones;
  return html`
    <details>
      <summary>Where the evidence lies</summary>
      <table class="figures">
        <thead>
          <tr>
            <th scope="col">Place</th>
            <th scope="col">Evidence</th>
            <th scope="col">Area</th>
          </tr>
        </thead>
        <tbody>
          ${explanation.zones.map(
            ({ zone, share, area }) => html`<tr>
              <th scope="row">${capital(names[zone])}</th>
              <td>${percent(share)}</td>
              <td>${percent(area)}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </details>
  `;
}

function Members({ members }) {
  return html`
    <details open=${members.length > 1}>
      <summary>${members.length > 1 ? `Votes of the ${members.length} networks` : "Vote of the one network"}</summary>
      <table class="figures">
        <thead>
          <tr>
            <th scope="col">Network</th>
            ${LABELS.map((label) => html`<th scope="col">${capital(words.labels[label])}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${members.map(
            ({ name, probabilities }) => html`<tr>
              <th scope="row">${name}</th>
              ${LABELS.map((label) => html`<td>${figure(probabilities[label])}</td>`)}
            </tr>`,
          )}
        </tbody>
      </table>
    </details>
  `;
}

function Origin({ item }) {
  const { answer } = item;
  const uids = answer.instance;
  return html`
    <details>
      <summary>File and model</summary>
      <dl class="origin">
        <dt>File</dt>
        <dd>${item.name} (${item.kind})</dd>
        ${uids && html`<dt>SOP instance</dt><dd>${uids.sop_instance_uid}</dd><dt>Study</dt><dd>${uids.study_instance_uid}</dd>`}
        <dt>Model</dt>
        <dd>${answer.bundle.name}, version ${answer.bundle.version}</dd>
        <dt>Software</dt>
        <dd>${words.version}</dd>
        <dt>Request</dt>
        <dd>${answer.request_id}</dd>
      </dl>
    </details>
  `;
}
