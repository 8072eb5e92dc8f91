// Choosing files, or dropping them anywhere on the page.

import { html, useEffect, useState } from "../vendor/htm-preact.js";

export function Intake({ add, some }) {
  const over = useDragged();
  const pick = (event) => {
    add([...event.target.files]);
    event.target.value = ""; // so that the same file can be chosen again
  };
  return html`
    <label class=${`intake ${some ? "small" : "large"} ${over ? "over" : ""}`}>
      <input type="file" multiple onChange=${pick} />
      <span class="intake-title">${some ? "Add files" : "Drop chest radiographs here, or choose files"}</span>
      ${!some &&
      html`<span class="muted">Frontal views of adults, one or many: DICOM, PNG or JPEG, up to 64 MiB each. A file is told
        by its content, so its name does not matter. Nothing is stored.</span>`}
    </label>
  `;
}

export function useDrop(add) {
  useEffect(() => {
    const drop = (event) => {
      event.preventDefault();
      const files = [...(event.dataTransfer?.files ?? [])];
      if (files.length) add(files);
    };
    const over = (event) => event.preventDefault(); // otherwise the browser would open the file
    addEventListener("drop", drop);
    addEventListener("dragover", over);
    return () => {
      removeEventListener("drop", drop);
      removeEventListener("dragover", over);
    };
  }, []);
}

function useDragged() {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const enter = () => setOver(true);
    const leave = (event) => event.relatedTarget === null && setOver(false);
    const end = () => setOver(false);
    addEventListener("dragenter", enter);
    addEventListener("dragleave", leave);
    addEventListener("drop", end);
    return () => {
      removeEventListener("dragenter", enter);
      removeEventListener("dragleave", leave);
      removeEventListener("drop", end);
    };
  }, []);
  return over;
}
