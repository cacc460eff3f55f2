// The list of objects: label, points, and what is known of each outline.

import { complete, NEEDED } from "./annotation.js";
import { element, sentence } from "./dom.js";

const litres = (ml) => (ml >= 100 ? ml.toFixed(0) : ml.toPrecision(ml >= 1 ? 3 : 2));

export function showObjects(list, work) {
  if (!work.isOpen) {
    list.replaceChildren();
    return;
  }
  // a name that is being typed stays as it is
  if (list.contains(document.activeElement) && document.activeElement.matches("input, select")) {
    if (!list.stale) {
      list.stale = true;
      document.activeElement.addEventListener("blur", () => {
        list.stale = false;
        setTimeout(() => showObjects(list, work));
      }, { once: true });
    }
    return;
  }
  const focused = document.activeElement?.dataset?.focus;
  const { objects } = work.annotation;
  list.replaceChildren(...objects.map((object) => row(object, work)));
  if (focused) list.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
}

function row(object, work) {
  const { annotation } = work;
  const number = annotation.objects.indexOf(object) + 1;
  const isActive = object === annotation.active;
  const swatch = element("button", {
    className: "swatch", title: `Object ${number}: go on with it`,
    ariaLabel: `Object ${number}: go on with it`, onclick: () => work.activate(object.id),
  }, String(number));
  swatch.style.background = annotation.colour(object);
  swatch.dataset.focus = `swatch ${object.id}`;
  const remove = element("button", {
    className: "quiet", title: "Delete this object", ariaLabel: `Delete object ${number}`,
    onclick: () => work.removeObject(object.id),
  }, "✕");
  remove.dataset.focus = `remove ${object.id}`;
  const item = element("li", {
    className: isActive ? "object active" : "object",
    onclick: (event) => {
      if (!event.target.closest("button, input, select") && !isActive) work.activate(object.id);
    },
  }, element("div", { className: "line" }, swatch, label(object, work, number), remove),
  ...facts(object, work));
  if (isActive) item.setAttribute("aria-current", "true");
  return item;
}

function label(object, work, number) {
  const { labels, any_label: any } = work.opened;
  const free = any ?? !labels.length;
  const renamed = (event) => {
    const name = event.target.value.trim();
    event.target.value = name || object.label;
    if (name && name !== object.label) work.rename(object.id, name);
  };
  const what = { ariaLabel: `Label of object ${number}`, onchange: renamed };
  const choice = free
    ? element("input", { ...what, value: object.label, maxLength: 100, onkeydown: (event) => event.key === "Enter" && event.target.blur() })
    : element("select", what, ...labels.map(({ name }) =>
      element("option", { value: name, selected: name === object.label }, name)));
  if (free) choice.setAttribute("list", "label-names");
  choice.dataset.focus = `label ${object.id}`;
  return choice;
}

function facts(object, work) {
  const result = work.resultOf(object);
  if (!complete(object)) {
    return [element("p", { className: "facts" }, `${object.points.length} of ${NEEDED} points`)];
  }
  const lines = [];
  for (const problem of result?.problems ?? []) {
    lines.push(element("p", { className: "warning" }, problem));
  }
  if (!result?.complete) {
    return lines.length ? lines : [element("p", { className: "facts" }, "Outlining …")];
  }
  const [axial, largest] = result.diameters_mm ?? [];
  const row = (name, value, title = "") =>
    [element("dt", { title }, name), element("dd", {}, value)];
  const dice = result.expected_dice;
  lines.push(element("dl", {},
    ...row("Volume", `${litres(result.volume_ml)} ml`),
    ...(axial === undefined ? [] : row("Diameter", `${axial.toFixed(1)} mm axial, ${largest.toFixed(1)} mm in 3D`, "Largest diameters")),
    ...(dice === null || dice === undefined ? [] : row("Expected Dice", dice.toFixed(2), "With a person's outline")),
    ...(object.corrections.length ? row("Corrections", String(object.corrections.length)) : []),
    ...(object.brush ? row("Made by", "brush") : [])));
  if (result.needs_review || result.reasons.length) {
    const reasons = result.reasons.map((reason) => sentence(reason)).join(" ");
    lines.push(element("p", { className: "warning" }, reasons || "Look at this outline closely."));
  }
  return lines;
}

export function showNotes(list, work) {
  const notes = work.isOpen ? work.notes.map(sentence) : [];
  if (list.dataset.content === JSON.stringify(notes)) return;
  list.dataset.content = JSON.stringify(notes);
  list.replaceChildren(...notes.map((note) => element("li", {}, note)));
}
