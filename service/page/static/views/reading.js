// The picture and its options: method, class, network; map and window; the methods side by side.

import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { previewOf } from "../answers.js";
import { windowOf } from "../imaging/grey.js";
import { levelsOf } from "../imaging/map.js";
import { Compare } from "./compare.js";
import { MapControls, WindowControls } from "./controls.js";
import { Question } from "./question.js";
import { Viewport } from "./viewport.js";
import words from "../words.js";

const SHOWN = { visible: true, opacity: 0.5, threshold: 0, zones: false, boxes: false };

export function Reading({ item, shown, question, ask, worklist, keyWanted }) {
  const [settings, setSettings] = useState(SHOWN);
  const [window, setWindow] = useState(null);
  const [tool, setTool] = useState("pan");
  const [blink, setBlink] = useState(false);
  const actions = useRef(null);
  const { preview, message } = usePreview(item, keyWanted, setWindow, worklist);
  const map = useLevels(shown.explanation);
  if (!item) return html`<section class="card reading empty" aria-label="Radiograph"></section>`;
  const change = (changes) => setSettings((last) => ({ ...last, ...changes }));
  const { boxes = [], outlines = [] } = shown.explanation ?? {};
  const view = { boxes, outlines, preview, window, setWindow, map, settings, tool, actions, blink, setBlink };
  return html`
    <section class="card reading" aria-labelledby="reading-title">
      <h2 id="reading-title" class="visually-hidden">Radiograph</h2>
      <${Question} answer=${item.answer} question=${question} ask=${ask} />
      <div class="bench">
        <div class="screen">
          ${preview
            ? html`<${Viewport} ...${view} />`
            : html`<div class="viewport waiting"><p role="status">${message || "The radiograph is being fetched."}</p></div>`}
          <p class="veil" role="status">${shown.asking && preview ? "The map is being made." : ""}</p>
        </div>
        ${preview &&
        html`<div class="controls">
          <${MapControls} shown=${shown} settings=${settings} change=${change} setBlink=${setBlink} item=${item} />
          <${WindowControls}
            window=${window}
            setWindow=${setWindow}
            reset=${() => setWindow(windowOf(preview))}
            tool=${tool}
            setTool=${setTool}
            actions=${actions}
          />
          <p id="viewport-keys" class="muted small">
            ${words.sides} Wheel or pinch zooms, a drag moves, the right button sets the window. With the picture focused: +
            − 0 and arrows, and B held hides the map.
          </p>
        </div>`}
      </div>
      ${preview &&
      item.answer &&
      html`<${Compare} item=${item} question=${question} preview=${preview} window=${window} settings=${settings} />`}
    </section>
  `;
}

function usePreview(item, keyWanted, setWindow, worklist) {
  const [seen, see] = useState({ preview: null, message: "" });
  useEffect(() => {
    if (!item || keyWanted) return undefined;
    let current = true;
    previewOf(item).then(
      (preview) => {
        if (!current) return;
        setWindow(windowOf(preview));
        see({ preview, message: "" });
      },
      (error) => {
        if (!current) return;
        if (error.wantsKey) worklist.wantKey(error.message);
        see({ preview: null, message: error.message });
      },
    );
    return () => (current = false);
  }, [item?.id, keyWanted]);
  return seen;
}

/** The grey levels of the displayed map; none while there is no map. */
function useLevels(explanation) {
  const [map, setMap] = useState(null);
  useEffect(() => {
    if (!explanation) {
      setMap(null);
      return undefined;
    }
    let current = true;
    levelsOf(explanation).then((levels) => current && setMap(levels));
    return () => (current = false);
  }, [explanation]);
  return map;
}
