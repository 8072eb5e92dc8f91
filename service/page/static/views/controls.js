// The controls beside the picture, for the display of map and radiograph. None of them sends a request.

import { html, useEffect, useRef } from "../vendor/htm-preact.js";
import { download, fromBase64 } from "../download.js";
import { percent } from "../figures.js";
import { drawBar, isSigned } from "../imaging/map.js";
import { Check, Choices, Slider } from "./choices.js";

const ENDS = { false: ["little evidence", "much evidence"], true: ["against", "for"] };
const STEP = 1.25;

export function MapControls({ shown, settings, change, setBlink, item }) {
  const { explanation } = shown;
  const hold = { onPointerDown: () => setBlink(true), onPointerUp: () => setBlink(false), onPointerLeave: () => setBlink(false) };
  const keys = {
    onKeyDown: (event) => event.key === " " && setBlink(true),
    onKeyUp: () => setBlink(false),
    onBlur: () => setBlink(false),
  };
  const boxes = explanation?.boxes ?? [];
  const save = () => download(fromBase64(explanation.overlay_png, "image/png"), `${item.name}.${explanation.method}.png`);
  return html`
    <div class="group" role="group" aria-label="Map">
      ${explanation && html`<${ColourBar} signed=${isSigned(explanation.method)} />`}
      <${Slider} label="Opacity" min="0" max="1" step="0.01" value=${settings.opacity} words=${percent(settings.opacity)}
        set=${(opacity) => change({ opacity })} />
      <${Slider} label="Threshold" min="0" max="0.95" step="0.01" value=${settings.threshold}
        words=${settings.threshold ? `over ${percent(settings.threshold)} of the strongest` : "all evidence"}
        set=${(threshold) => change({ threshold })} />
      <div class="row">
        <${Check} label="Map" value=${settings.visible} set=${(visible) => change({ visible })} />
        <${Check} label="Zones" value=${settings.zones} set=${(zones) => change({ zones })} />
        <${Check} label=${`Boxes (${boxes.length})`} value=${settings.boxes} set=${(boxes) => change({ boxes })} />
        <button ...${hold} ...${keys}>Hold to hide the map</button>
        <button disabled=${!explanation} onClick=${save}>Save picture</button>
        <button onClick=${() => print()}>Print</button>
      </div>
    </div>
  `;
}

function ColourBar({ signed }) {
  const canvas = useRef(null);
  useEffect(() => drawBar(canvas.current, signed), [signed]);
  const [low, high] = ENDS[signed];
  return html`<div class="colour-bar">
    <span>${low}</span><canvas ref=${canvas} role="img" aria-label=${`Colours from ${low} to ${high}`}></canvas><span>${high}</span>
  </div>`;
}

export function WindowControls({ window, setWindow, reset, tool, setTool, actions }) {
  const set = (changes) => setWindow((last) => ({ ...last, ...changes }));
  const { center, width, least, most, whole } = window;
  return html`
    <div class="group" role="group" aria-label="Radiograph">
      <${Slider} label="Window level" min=${least} max=${most} step=${whole / 1000} value=${center}
        words=${String(Math.round(center))} set=${(value) => set({ center: value })} />
      <${Slider} label="Window width" min=${whole / 500} max=${whole * 1.5} step=${whole / 1000} value=${width}
        words=${String(Math.round(width))} set=${(value) => set({ width: value })} />
      <${Choices} legend="A drag" name="tool" options=${[["pan", "moves"], ["window", "sets the window"]]} value=${tool} choose=${setTool} />
      <div class="row">
        <${Check} label="Negative" value=${window.negative} set=${(negative) => set({ negative })} />
        <button onClick=${() => actions.current.zoom(1 / STEP)} aria-label="Smaller">−</button>
        <button onClick=${() => actions.current.zoom(STEP)} aria-label="Larger">+</button>
        <button onClick=${() => (actions.current.fit(), reset())}>Reset view</button>
      </div>
    </div>
  `;
}
