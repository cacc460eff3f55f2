// Sentences for the person in front of the page: at its foot, or as a question.

import { byId, element } from "./dom.js";

const SECONDS = { note: 8, warning: 20 };
const IDLE = "Wheel: slices. Drag: move. Right drag: brightness and contrast. ?: all keys.";
let fading = 0;

/** kind: "note", "warning" or "error"; an error stays until it is closed or replaced. more: a title. */
export function say(sentence, kind = "note", action = null, more = "") {
  clearTimeout(fading);
  const foot = byId("messages");
  if (!sentence) {
    foot.replaceChildren(element("div", { className: "idle" }, IDLE));
    return;
  }
  const close = element("button", { className: "quiet", title: "Close this message" }, "Close");
  close.addEventListener("click", () => say(""));
  const doing = action
    ? element("button", { onclick: () => { say(""); action.run(); } }, action.name) : null;
  foot.replaceChildren(element("div", { className: kind },
    element("span", { title: more }, sentence), ...(doing ? [doing] : []), close));
  if (SECONDS[kind]) fading = setTimeout(() => say(""), SECONDS[kind] * 1000);
}

export const complain = (error, action) => say(error.message || String(error), "error", action);

/** Ask; gives the name of the answer that was chosen, or the last one's for Escape. */
export function question(text, answers) {
  const dialog = byId("question");
  byId("question-text").textContent = text;
  return new Promise((resolve) => {
    const buttons = answers.map(([name, title, kind = ""]) => element("button", {
      className: kind,
      onclick: () => {
        dialog.onclose = null;
        dialog.close();
        resolve(name);
      },
    }, title));
    byId("answers").replaceChildren(...buttons);
    dialog.onclose = () => resolve(answers.at(-1)[0]);
    dialog.showModal();
    buttons[0].focus();
  });
}

/** What the page waits for, over the planes; "" for nothing. */
export function wait(sentence) {
  const busy = byId("busy");
  busy.hidden = !sentence;
  if (sentence) busy.textContent = sentence;
}

/** A page in the middle instead of a scan. */
export function welcome(title, ...paragraphs) {
  const place = byId("welcome");
  place.hidden = !title;
  if (!title) return;
  place.replaceChildren(
    element("h2", {}, title), ...paragraphs.map((each) => element("p", {}, each)),
  );
}
