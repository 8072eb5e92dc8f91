// The radiograph with its map on top: wheel, drag, pinch and keys. Each action also has a button.

import { html, useEffect, useLayoutEffect, useRef, useState } from "../vendor/htm-preact.js";
import { drawGrey, ends } from "../imaging/grey.js";
import { drawMap } from "../imaging/map.js";
import { uprightBox } from "../imaging/geometry.js";
import { fitted, moved, zoomed } from "../imaging/transform.js";

const STEP = 1.25;
const PAN = 40;
const KEYS = {
  "+": (move) => move.zoom(STEP),
  "=": (move) => move.zoom(STEP),
  "-": (move) => move.zoom(1 / STEP),
  0: (move) => move.fit(),
  ArrowLeft: (move) => move.pan(PAN, 0),
  ArrowRight: (move) => move.pan(-PAN, 0),
  ArrowUp: (move) => move.pan(0, PAN),
  ArrowDown: (move) => move.pan(0, -PAN),
};

export function Viewport({ preview, window, setWindow, map, settings, boxes, outlines, tool, actions, blink, setBlink }) {
  const root = useRef(null);
  const stage = useRef(null);
  const [place, setPlace] = useState(null);
  const view = () => ({ width: root.current.clientWidth, height: root.current.clientHeight });
  const middle = () => ({ x: root.current.clientWidth / 2, y: root.current.clientHeight / 2 });
  const move = {
    fit: () => setPlace(fitted(view(), preview)),
    zoom: (factor, at = middle()) => setPlace((last) => zoomed(last, factor, at, view(), preview)),
    pan: (dx, dy) => setPlace((last) => moved(last, dx, dy, view(), preview)),
  };
  actions.current = move;
  useLayoutEffect(() => {
    const observer = new ResizeObserver(move.fit);
    observer.observe(root.current);
    return () => observer.disconnect();
  }, [preview]);
  useLayoutEffect(() => {
    if (!place) return;
    const { style } = stage.current;
    style.setProperty("transform", `translate(${place.x}px, ${place.y}px) scale(${place.scale})`);
  }, [place]);
  usePointers(root, { move, tool, window, setWindow, preview });
  const keyDown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "b") setBlink(true);
    else if (KEYS[event.key]) KEYS[event.key](move);
    else return;
    event.preventDefault();
  };
  return html`
    <div
      class="viewport"
      ref=${root}
      tabindex="0"
      role="application"
      aria-label="Radiograph and map"
      aria-describedby="viewport-keys"
      data-tool=${tool}
      onKeyDown=${keyDown}
      onKeyUp=${(event) => event.key === "b" && setBlink(false)}
      onBlur=${() => setBlink(false)}
    >
      <div class="stage" ref=${stage} style=${{ width: `${preview.width}px`, height: `${preview.height}px` }}>
        <${Grey} preview=${preview} window=${window} />
        ${map && html`<${MapLayer} map=${map} preview=${preview} settings=${settings} hidden=${blink || !settings.visible} />`}
        ${map && settings.zones && !blink && html`<${Zones} outlines=${outlines} preview=${preview} natural=${map.natural} />`}
        ${map && settings.boxes && !blink && html`<${Boxes} boxes=${boxes} preview=${preview} natural=${map.natural} />`}
      </div>
    </div>
  `;
}

function Grey({ preview, window }) {
  const canvas = useRef(null);
  useEffect(() => {
    const frame = requestAnimationFrame(() => drawGrey(canvas.current, preview, ends(window, preview)));
    return () => cancelAnimationFrame(frame);
  }, [preview, window]);
  return html`<canvas class="grey" ref=${canvas}></canvas>`;
}

function MapLayer({ map, preview, settings, hidden }) {
  const canvas = useRef(null);
  useEffect(() => drawMap(canvas.current, map, settings.threshold), [map, settings.threshold]);
  const size = { width: `${map.natural.width / preview.scale}px`, height: `${map.natural.height / preview.scale}px` };
  return html`<canvas
    class="map"
    ref=${canvas}
    style=${{ ...size, opacity: hidden ? 0 : settings.opacity }}
  ></canvas>`;
}

function Boxes({ boxes, preview, natural }) {
  return html`<svg class="boxes" viewBox=${`0 0 ${preview.width} ${preview.height}`} aria-hidden="true">
    ${boxes.map((box) => {
      const { x, y, width, height } = uprightBox(box, preview, natural);
      return html`<rect x=${x} y=${y} width=${width} height=${height} />`;
    })}
  </svg>`;
}

/** The zones' outlines; their points are shares of the whole image's sides. */
function Zones({ outlines, preview, natural }) {
  const [width, height] = [natural.width / preview.scale, natural.height / preview.scale];
  const line = ({ points }) => points.map(([x, y]) => `${(x * width).toFixed(1)},${(y * height).toFixed(1)}`).join(" ");
  return html`<svg class="zones" viewBox=${`0 0 ${preview.width} ${preview.height}`} aria-hidden="true">
    ${outlines.map((one) => html`<polygon points=${line(one)} />`)}
  </svg>`;
}

/** Wheel zooms; a drag pans or, with the other tool or the right button, sets the window; two fingers do both. */
function usePointers(root, latest) {
  const now = useRef(latest);
  now.current = latest;
  useEffect(() => {
    const element = root.current;
    const pointers = new Map();
    const at = (event) => {
      const box = element.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top, button: event.button };
    };
    const wheel = (event) => {
      event.preventDefault();
      now.current.move.zoom(Math.exp(-event.deltaY * 0.0015), at(event));
    };
    const down = (event) => {
      element.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, at(event));
    };
    const drag = (event) => {
      const last = pointers.get(event.pointerId);
      if (!last) return;
      const next = { ...at(event), button: last.button };
      if (pointers.size === 2) pinch(pointers, event.pointerId, last, next, now.current.move);
      else if (now.current.tool === "window" || last.button === 2) drift(now.current, next.x - last.x, next.y - last.y);
      else now.current.move.pan(next.x - last.x, next.y - last.y);
      pointers.set(event.pointerId, next);
    };
    const up = (event) => pointers.delete(event.pointerId);
    const menu = (event) => event.preventDefault();
    const listeners = { wheel, pointerdown: down, pointermove: drag, pointerup: up, pointercancel: up, contextmenu: menu };
    for (const [name, listen] of Object.entries(listeners)) element.addEventListener(name, listen, { passive: false });
    return () => {
      for (const [name, listen] of Object.entries(listeners)) element.removeEventListener(name, listen);
    };
  }, []);
}

function pinch(pointers, id, last, next, move) {
  const [other] = [...pointers].filter(([key]) => key !== id).map(([, point]) => point);
  const distance = (point) => Math.hypot(point.x - other.x, point.y - other.y) || 1;
  move.zoom(distance(next) / distance(last), { x: (next.x + other.x) / 2, y: (next.y + other.y) / 2 });
  move.pan((next.x - last.x) / 2, (next.y - last.y) / 2);
}

/** Dragging right widens the window, dragging down darkens, as in other viewers. */
function drift({ window, setWindow, preview }, dx, dy) {
  const speed = window.whole / 500;
  const sign = preview.inverted !== window.negative ? -1 : 1;
  setWindow((last) => ({
    ...last,
    width: Math.max(last.width + dx * speed, last.whole / 500),
    center: last.center + sign * dy * speed,
  }));
}
