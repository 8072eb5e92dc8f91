// A choice between a few values: radio buttons that look like a row of buttons.

import { html } from "../vendor/htm-preact.js";

export function Choices({ legend, name, options, value, choose }) {
  return html`
    <fieldset class="choices">
      <legend>${legend}</legend>
      <div class="segments">
        ${options.map(
          ([key, label]) => html`<label class="segment" key=${key}>
            <input type="radio" name=${name} value=${key} checked=${key === value} onChange=${() => choose(key)} />
            <span>${label}</span>
          </label>`,
        )}
      </div>
    </fieldset>
  `;
}

/** A slider with its value as text. */
export function Slider({ label, min, max, step, value, words, set }) {
  return html`
    <label class="field slider">
      <span>${label}</span>
      <input
        type="range"
        min=${min}
        max=${max}
        step=${step}
        value=${value}
        aria-valuetext=${words}
        onInput=${(event) => set(Number(event.target.value))}
      />
      <output>${words}</output>
    </label>
  `;
}

export function Check({ label, value, set }) {
  return html`<label class="check">
    <input type="checkbox" checked=${value} onChange=${(event) => set(event.target.checked)} />
    <span>${label}</span>
  </label>`;
}
