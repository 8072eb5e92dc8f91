// The name, and the choice of dark or light: reading rooms are dark, whatever the desktop's scheme.

import { html, useEffect, useState } from "../vendor/htm-preact.js";

const THEMES = { "": "System setting", dark: "Dark", light: "Light" };

export function Header() {
  const [theme, choose] = useState("");
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  return html`
    <header class="header">
      <p class="name">DeepCOVIDExplainer</p>
      <p class="what muted">Where a network found evidence on a chest radiograph</p>
      <label class="field theme">
        <span>Appearance</span>
        <select value=${theme} onChange=${(event) => choose(event.target.value)}>
          ${Object.entries(THEMES).map(([value, name]) => html`<option value=${value}>${name}</option>`)}
        </select>
      </label>
    </header>
  `;
}
