// A heatmap in colour. The service sends grey levels, and a table with the colour of each level.

import words from "../words.js";
import { fromBase64 } from "../download.js";

const LONGEST = 1024; // maps have no finer detail; the browser enlarges them smoothly

const table = (hex) => Uint8Array.from(hex.match(/../g), (byte) => parseInt(byte, 16));
const COLOURS = { evidence: table(words.colours.evidence), relevance: table(words.colours.relevance) };

export const isSigned = (method) => words.signed.includes(method);
const colours = (signed) => (signed ? COLOURS.relevance : COLOURS.evidence);

/** The grey levels of an explanation's heatmap, no larger than necessary. */
export async function levelsOf(explanation) {
  const blob = fromBase64(explanation.heatmap_png, "image/png");
  const whole = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  const scale = Math.min(1, LONGEST / Math.max(whole.width, whole.height));
  const width = Math.round(whole.width * scale);
  const height = Math.round(whole.height * scale);
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(whole, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const levels = new Uint8Array(width * height);
  for (let i = 0; i < levels.length; i += 1) levels[i] = data[4 * i];
  const natural = { width: whole.width, height: whole.height };
  whole.close();
  return { levels, width, height, natural, signed: isSigned(explanation.method) };
}

/** Draws them into a canvas. Values below the threshold (0 to 1) are transparent. */
export function drawMap(canvas, { levels, width, height, signed }, threshold) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const picture = context.createImageData(width, height);
  const pixels = new Uint32Array(picture.data.buffer);
  const shown = shownTable(signed, threshold);
  for (let i = 0; i < pixels.length; i += 1) pixels[i] = shown[levels[i]];
  context.putImageData(picture, 0, 0);
}

function shownTable(signed, threshold) {
  const shown = new Uint32Array(colours(signed).slice().buffer);
  for (let level = 0; level < 256; level += 1) {
    const strength = signed ? Math.abs(level - 128) / 127 : level / 255;
    if (strength < threshold) shown[level] = 0;
  }
  return shown;
}

/** The colour bar: the same colours over grey, from weakest (left) to strongest (right). */
export function drawBar(canvas, signed) {
  canvas.width = 256;
  canvas.height = 1;
  const context = canvas.getContext("2d");
  const picture = context.createImageData(256, 1);
  picture.data.set(colours(signed));
  context.putImageData(picture, 0, 0);
}
