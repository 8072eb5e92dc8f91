// Requests to the service, and their errors. The key is kept only in this module's memory.

let key = "";

export function useKey(value) {
  key = value;
}

/** An error that the service answered, with its own fixed message. */
export class Refused extends Error {
  constructor(status, code, message, retryAfter) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }

  get wantsKey() {
    return this.code === "unauthorized" || this.code === "forbidden";
  }
}

/** There was no answer. */
export class Away extends Error {
  constructor() {
    super("The service cannot be reached.");
    this.code = "away";
  }
}

const WAIT_S = 1;
const LONGEST_WAIT_S = 30;
const TRIES = 20;

export const classify = (item, signal) => ask("classify", item, signal).then((answer) => answer.json());

export function explain(item, question, signal) {
  const query = new URLSearchParams(question);
  return ask(`explain?${query}`, item, signal).then((answer) => answer.json());
}

/** The radiograph before its window: 16-bit values, row by row, and how to display them. */
export async function preview(item, signal) {
  const answer = await ask("preview", item, signal);
  const field = (name) => answer.headers.get(name);
  return {
    values: new Uint16Array(await answer.arrayBuffer()),
    width: Number(field("Image-Width")),
    height: Number(field("Image-Height")),
    scale: Number(field("Image-Scale")),
    orientation: Number(field("Image-Orientation")),
    inverted: field("Image-Inverted") === "true",
    low: Number(field("Window-Low")),
    high: Number(field("Window-High")),
  };
}

/** Posts a file; retries when the service has capacity. */
async function ask(path, item, signal) {
  for (let left = TRIES; ; left -= 1) {
    try {
      return await once(path, item, signal);
    } catch (error) {
      if (error.status !== 429 || left === 1) throw error;
      item.onBusy?.();
      await pause(error.retryAfter, signal);
    }
  }
}

async function once(path, { file, mediaType }, signal) {
  const headers = { "Content-Type": mediaType, ...(key && { Authorization: `Bearer ${key}` }) };
  let answer;
  try {
    answer = await fetch(path, { method: "POST", body: file, headers, signal, credentials: "omit", cache: "no-store" });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Away();
  }
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

async function refusal(answer) {
  const wait = Number(answer.headers.get("Retry-After")) || WAIT_S;
  try {
    const { error } = await answer.json();
    return new Refused(answer.status, error.code, error.message, Math.min(wait, LONGEST_WAIT_S));
  } catch {
    return new Away(); // answered by a proxy
  }
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });
}
