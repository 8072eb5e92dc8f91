// The picture's position in its viewport: a scale and an offset in screen pixels.

const MOST = 16; // times the scale at which the whole picture fits
const LEAST = 0.5;

/** The whole picture, centred. */
export function fitted(view, picture) {
  const scale = Math.min(view.width / picture.width, view.height / picture.height) || 1;
  return centred(view, picture, scale);
}

function centred(view, picture, scale) {
  return { scale, x: (view.width - picture.width * scale) / 2, y: (view.height - picture.height * scale) / 2 };
}

/** Zooms; the point (x, y) of the viewport stays in place. */
export function zoomed(place, factor, { x, y }, view, picture) {
  const fit = fitted(view, picture).scale;
  const scale = Math.min(Math.max(place.scale * factor, fit * LEAST), fit * MOST);
  const ratio = scale / place.scale;
  return bounded({ scale, x: x - (x - place.x) * ratio, y: y - (y - place.y) * ratio }, view, picture);
}

export function moved(place, dx, dy, view, picture) {
  return bounded({ ...place, x: place.x + dx, y: place.y + dy }, view, picture);
}

/** Limits the offset, so that a part of the picture stays visible. */
function bounded(place, view, picture) {
  const margin = 60;
  const within = (value, size, room) => Math.min(Math.max(value, margin - size), room - margin);
  return {
    scale: place.scale,
    x: within(place.x, picture.width * place.scale, view.width),
    y: within(place.y, picture.height * place.scale, view.height),
  };
}
