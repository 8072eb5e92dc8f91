// The page and the layout of its parts. Files can be dropped anywhere; worklist.js sends the requests.

import { html, render, useState } from "./vendor/htm-preact.js";
import { useExplanation } from "./explained.js";
import { useStore } from "./store.js";
import { Header } from "./views/header.js";
import { Intake, useDrop } from "./views/intake.js";
import { KeyForm } from "./views/key.js";
import { List } from "./views/list.js";
import { Finding } from "./views/finding.js";
import { Reading } from "./views/reading.js";
import { DONE, Worklist, isOpen } from "./worklist.js";
import words from "./words.js";

const worklist = new Worklist();
const FIRST = { method: words.method, target: "predicted", member: "" };

function App() {
  const { items, selected, keyWanted } = useStore(worklist);
  const [question, ask] = useState(FIRST);
  const item = items.find(({ id }) => id === selected) ?? null;
  const done = item?.state === DONE ? item : null;
  const seen = item && (done || isOpen(item)) ? item : null;
  const shown = useExplanation(done, question, worklist);
  const add = (files) => worklist.add(files);
  useDrop(add);
  return html`
    <${Header} />
    <main>
      <h1 class="visually-hidden">Chest radiographs: what cannot be ruled out, and where the network looked</h1>
      ${keyWanted && html`<${KeyForm} message=${keyWanted} onGiven=${() => worklist.keyGiven()} />`}
      ${items.length === 0 && html`<${Intake} add=${add} />`}
      ${items.length > 0 &&
      html`<div class="desk">
        <${List} worklist=${worklist} items=${items} selected=${selected} add=${add} />
        <${Finding} item=${item} shown=${shown} again=${(id) => worklist.again(id)} />
        <${Reading} key=${selected} item=${seen} shown=${shown} question=${question} ask=${ask} worklist=${worklist} keyWanted=${keyWanted} />
      </div>`}
    </main>
  `;
}

render(html`<${App} />`, document.getElementById("app"));
