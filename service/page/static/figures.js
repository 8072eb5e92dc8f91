// Figures in the same format as in the service's sentences (cxr/report/wording.py).

export function figure(p) {
  if (p < 0.005) return "under 0.01";
  return p >= 0.995 ? "over 0.99" : p.toFixed(2);
}

export const percent = (share) => `${Math.round(100 * share)} %`;

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export function size(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
