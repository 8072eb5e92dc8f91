// Boxes of the stored image, placed on the upright image. EXIF has eight orientations (cxr/decode/orientation.py).

const TURNS = {
  1: {},
  2: { mirrored: true },
  3: { mirrored: true, flipped: true },
  4: { flipped: true },
  5: { transposed: true },
  6: { transposed: true, mirrored: true },
  7: { transposed: true, mirrored: true, flipped: true },
  8: { transposed: true, flipped: true },
};

/** A box in pixels of the stored image → in pixels of the preview. `natural`: the upright image's own size. */
export function uprightBox(box, preview, natural) {
  const turn = TURNS[preview.orientation] ?? {};
  let { x, y, width, height } = box;
  if (turn.transposed) [x, y, width, height] = [y, x, height, width];
  if (turn.mirrored) x = natural.width - x - width;
  if (turn.flipped) y = natural.height - y - height;
  const { scale } = preview;
  return { x: x / scale, y: y / scale, width: width / scale, height: height / scale };
}
