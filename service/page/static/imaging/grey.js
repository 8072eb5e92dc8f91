// Draw 16-bit values through a window into a canvas.

const LEVELS = 65536;

/** Draws a preview into a canvas of its size; low is black, high is white. */
export function drawGrey(canvas, preview, { low, high, inverted }) {
  if (canvas.width !== preview.width || canvas.height !== preview.height) {
    canvas.width = preview.width;
    canvas.height = preview.height;
  }
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true }); // drawn by the CPU
  const picture = context.createImageData(preview.width, preview.height);
  const pixels = new Uint32Array(picture.data.buffer);
  const table = greyTable(low, high, inverted);
  const { values } = preview;
  for (let i = 0; i < pixels.length; i += 1) pixels[i] = table[values[i]];
  context.putImageData(picture, 0, 0);
}

/** For each value an opaque pixel: red, green, blue and alpha in little-endian order. */
function greyTable(low, high, inverted) {
  const table = new Uint32Array(LEVELS);
  const width = Math.max(high - low, 1e-6);
  for (let value = 0; value < LEVELS; value += 1) {
    const share = Math.min(Math.max((value - low) / width, 0), 1);
    const grey = Math.round(255 * (inverted ? 1 - share : share));
    table[value] = (0xff000000 | (grey << 16) | (grey << 8) | grey) >>> 0;
  }
  return table;
}

/** The file's own window, and the range of values for a window. */
export function windowOf(preview) {
  let least = LEVELS;
  let most = 0;
  for (const value of preview.values) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  const { low, high } = preview;
  least = Math.min(least, low);
  most = Math.max(most, high);
  const whole = Math.max(most - least, 1);
  return { center: (low + high) / 2, width: Math.max(high - low, 1), negative: false, least, most, whole };
}

/** The values that are black and white. `negative`: whether the user has inverted the picture. */
export function ends({ center, width, negative }, preview) {
  return { low: center - width / 2, high: center + width / 2, inverted: preview.inverted !== negative };
}
