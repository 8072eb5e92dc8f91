// The worklist as a table for a spreadsheet, made in the browser, so that file names never leave it.

import words from "./words.js";

const LABELS = Object.keys(words.labels);
const HEAD = [
  "file", "format", "state", "prediction", ...LABELS.map((label) => `p_${label}`), "prediction_set",
  "prediction_set_text", "warnings", "error_code", "error", "bundle", "request_id",
]; // prettier-ignore

export function csv(items) {
  return [HEAD, ...items.map(row)].map((cells) => cells.map(cell).join(",")).join("\r\n") + "\r\n";
}

function row({ name, kind, state, answer, code, message }) {
  const p = answer?.probabilities;
  return [
    name, kind, state, answer?.prediction ?? "", ...LABELS.map((label) => p?.[label] ?? ""),
    answer?.prediction_set.join(" ") ?? "", answer?.prediction_set_text ?? "", answer?.warnings.join(" ") ?? "",
    code, message, answer ? `${answer.bundle.name} ${answer.bundle.version}` : "", answer?.request_id ?? "",
  ]; // prettier-ignore
}

/** A quoted cell, with an apostrophe before text that a spreadsheet would read as a formula. */
function cell(value) {
  const text = String(value);
  const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
