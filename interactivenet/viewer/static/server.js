// What the page asks the server for. All errors are sentences that a person can read.

class ServerError extends Error {
  constructor(sentence, status = 0, retryAfter = 0) {
    super(sentence);
    Object.assign(this, { status, retryAfter });
  }
}

const GONE = "The server does not answer. Is `interactivenet serve` still running?";

async function ask(path, { method = "GET", json, body, keepalive } = {}) {
  const headers = json === undefined ? {} : { "Content-Type": "application/json" };
  const content = json === undefined ? body : JSON.stringify(json);
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: content, keepalive });
  } catch {
    throw new ServerError(GONE);
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  const sentence = told.error || `The server answered with ${answer.status}, and no reason.`;
  throw new ServerError(sentence, answer.status, Number(answer.headers.get("Retry-After")) || 0);
}

const json = async (...call) => (await ask(...call)).json();
const bytes = async (...call) => (await ask(...call)).arrayBuffer();

export const state = () => json("api/state");
export const cases = async () => (await json("api/cases")).cases;
export const open = (id, model) =>
  json("api/sessions", { method: "POST", json: { case: id, model } });

export const image = (url) => bytes(url);
export const outline = (url) => bytes(url);

export function upload(files) {
  const body = new FormData();
  for (const file of files) body.append("files", file);
  return json("api/cases", { method: "POST", body });
}

/** One open scan on the server. */
export class Session {
  constructor(id) {
    this.path = `api/sessions/${encodeURIComponent(id)}`;
  }

  outline(objects, quality, revision) {
    return json(`${this.path}/objects`, { method: "PUT", json: { objects, quality, revision } });
  }

  brush(object, file, revision) {
    const path = `${this.path}/brush?object=${encodeURIComponent(object)}&revision=${revision}`;
    return json(path, { method: "PUT", body: file });
  }

  /** told: {revision: of what is shown, over: what was saved before, as far as is known, formats:
   * that it is written in besides}. */
  save(told) {
    return json(`${this.path}/save`, { method: "POST", json: told });
  }

  async download(revision, formats) {
    const asked = new URLSearchParams({ revision, formats });
    const answer = await ask(`${this.path}/download?${asked}`);
    const told = answer.headers.get("Content-Disposition") ?? "";
    const coded = /filename\*=UTF-8''([^;]+)/i.exec(told)?.[1];
    const name = coded ? decodeURIComponent(coded) : /filename="?([^";]+)"?/.exec(told)?.[1];
    const notes = JSON.parse(decodeURIComponent(answer.headers.get("InteractiveNet-Notes") ?? "[]"));
    return { blob: await answer.blob(), name: name ?? "case.zip", notes };
  }

  alive() {
    return ask(`${this.path}/alive`, { method: "POST" });
  }

  close() {
    return ask(this.path, { method: "DELETE", keepalive: true }).catch(() => {});
  }
}
