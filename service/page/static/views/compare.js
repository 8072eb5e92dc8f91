// The methods side by side, for the same class and network, through the same window.

import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { explanationOf, methodsOf } from "../answers.js";
import { asked } from "../explained.js";
import { drawGrey, ends } from "../imaging/grey.js";
import { drawMap, levelsOf } from "../imaging/map.js";
import words from "../words.js";

export function Compare(props) {
  const [open, setOpen] = useState(false);
  return html`
    <details class="compare" open=${open} onToggle=${(event) => setOpen(event.target.open)}>
      <summary>Methods side by side</summary>
      ${open &&
      html`<div class="panels">
        ${methodsOf(props.item.answer).map((method) => html`<${Panel} key=${method} method=${method} ...${props} />`)}
      </div>`}
    </details>
  `;
}

function Panel({ item, method, question, preview, window, settings }) {
  const [{ map, explanation, message }, show] = useState({ map: null, explanation: null, message: "" });
  const { target, member } = question;
  useEffect(() => {
    let current = true;
    explanationOf(item, asked({ method, target, member }))
      .then(async ({ explanation }) => ({ explanation, map: await levelsOf(explanation), message: "" }))
      .catch((error) => ({ map: null, explanation: null, message: error.message }))
      .then((next) => current && show(next));
    return () => (current = false);
  }, [item.id, method, target, member]);
  const grey = useRef(null);
  const colour = useRef(null);
  useEffect(() => drawGrey(grey.current, preview, ends(window, preview)), [preview, window]);
  useEffect(() => {
    if (map) drawMap(colour.current, map, settings.threshold);
  }, [map, settings.threshold]);
  return html`
    <figure class="panel">
      <div class="picture" style=${{ "aspect-ratio": `${preview.width} / ${preview.height}` }}>
        <canvas ref=${grey}></canvas>
        <canvas ref=${colour} style=${{ opacity: map ? settings.opacity : 0 }}></canvas>
      </div>
      <figcaption>
        <h3>${words.methods[method]}</h3>
        <p class="small muted">${message || explanation?.statement || "The map is being made."}</p>
      </figcaption>
    </figure>
  `;
}
