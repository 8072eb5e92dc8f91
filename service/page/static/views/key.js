// Asks for the key if the service needs one.

import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { useKey } from "../api.js";

export function KeyForm({ message, onGiven }) {
  const [key, setKey] = useState("");
  const field = useRef(null);
  useEffect(() => field.current.focus(), []);
  const give = (event) => {
    event.preventDefault();
    if (!key.trim()) return;
    useKey(key.trim());
    onGiven();
  };
  return html`
    <form class="card key" onSubmit=${give} aria-labelledby="key-title">
      <h2 id="key-title">This service needs a key</h2>
      <p role="alert">${message}</p>
      <label class="field" for="key"><span>Key</span></label>
      <div class="row">
        <input
          id="key"
          ref=${field}
          type="password"
          autocomplete="off"
          spellcheck=${false}
          value=${key}
          onInput=${(event) => setKey(event.target.value)}
        />
        <button class="primary" type="submit">Use this key</button>
      </div>
      <p class="muted small">The key stays in this page's memory until the page is closed or reloaded.</p>
    </form>
  `;
}
