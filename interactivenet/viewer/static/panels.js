// Windows of grey values, image, opacity: made once, then kept up to date.

import { byId, element } from "./dom.js";
import { OWN } from "./windows.js";

export class DisplayPanel {
  constructor(place, work) {
    this.work = work;
    const { display } = work;
    this.image = element("select", { onchange: () => work.switchImage(Number(this.image.value)) });
    this.preset = element("select", { onchange: () => display.choose(this.preset.value) });
    const number = (title) => element("input", {
      type: "number", step: "any", title,
      onchange: () => display.set(Number(this.level.value), Math.max(1e-3, Number(this.width.value))),
    });
    [this.level, this.width] = [number("Middle of the window"), number("Width of the window")];
    this.opacity = element("input", {
      type: "range", min: 0.05, max: 1, step: 0.05,
      oninput: () => display.setOpacity(Number(this.opacity.value)),
    });
    const check = (what, title) => element("input", {
      type: "checkbox", title, onchange: () => display.toggle(what),
    });
    this.fill = check("fill", "F");
    this.hidden = check("hidden", "H");
    this.smooth = check("smooth", "Between voxels, grey values are interpolated");
    const line = (name, ...inputs) => element("label", { className: "line" },
      element("span", {}, name), ...inputs);
    this.imageLine = line("Image", this.image);
    place.append(this.imageLine, line("Window", this.preset),
      element("div", { className: "line pair" }, line("Level", this.level), line("Width", this.width)),
      line("Opacity", this.opacity),
      element("div", { className: "line checks" },
        line("Fill", this.fill), line("Hide", this.hidden), line("Smooth", this.smooth)));
    this.place = place;
  }

  show() {
    const { work } = this;
    this.place.hidden = !work.isOpen;
    if (!work.isOpen || !work.view.isOpen) return;
    const { display, opened } = work;
    this.imageLine.hidden = opened.images.length < 2;
    options(this.image, opened.images.map(({ name }, number) => [String(number), name]), String(work.image));
    const presets = [...display.presets.keys()];
    if (!display.presets.has(display.preset)) presets.push(OWN);
    options(this.preset, presets.map((name) => [name, name]), display.preset);
    for (const [input, value] of [[this.level, display.level], [this.width, display.width]]) {
      if (input !== document.activeElement) input.value = String(Number(value.toPrecision(4)));
    }
    this.opacity.value = display.opacity;
    for (const what of ["fill", "hidden", "smooth"]) this[what].checked = display[what];
  }
}

/** Fill a select only where its choices have changed, so that an open one stays open. */
export function options(select, choices, chosen) {
  const content = JSON.stringify(choices);
  if (select.dataset.content !== content) {
    select.dataset.content = content;
    select.replaceChildren(...choices.map(([value, name]) => element("option", { value }, name)));
  }
  select.value = chosen;
}

const TOOLS = [
  ["points", "Points", "M", "A click places a point just inside the object's edge"],
  ["add", "+ Add", "P", "A click adds what the outline has missed"],
  ["remove", "− Remove", "N", "A click removes what is not the object"],
  ["look", "Look", "L", "A click only moves the crosshair"],
  ["brush", "Brush", "B", "Draw by hand"],
  ["erase", "Eraser", "E", "Erase by hand"],
];

/** The tools above the planes: one of them is chosen. */
export function makeTools(work) {
  const place = byId("tools");
  const buttons = TOOLS.map(([name, title, key, what]) => element("button", {
    role: "radio", id: `tool-${name}`, title: `${what} (${key})`, onclick: () => work.setTool(name),
  }, title, element("kbd", {}, key)));
  const zoom = (title, what, factor) => element("button", {
    className: "zoom", title: what, ariaLabel: what,
    onclick: () => work.isOpen && (factor ? work.view.zoom(factor) : work.view.resetZoom()),
  }, title);
  place.replaceChildren(...buttons, element("span", { className: "spring" }),
    zoom("−", "Zoom out", 0.8), zoom("+", "Zoom in", 1.25), zoom("⤢", "The whole scan again", 0));
  place.addEventListener("keydown", (event) => {
    const way = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const at = buttons.indexOf(document.activeElement);
    if (!way || at < 0) return;
    event.preventDefault();
    buttons[(at + way + buttons.length) % buttons.length].focus();
  });
  const BUSY = { quick: "Outlining …", full: "Refining …" };
  return () => {
    place.hidden = !work.isOpen;
    for (const button of buttons) {
      const chosen = button.id === `tool-${work.tool}`;
      button.setAttribute("aria-checked", chosen);
    }
    const state = byId("outline-state"); // over the planes: nothing moves when it comes and goes
    state.textContent = BUSY[work.outlineBusy] ?? "";
  };
}

/** Above each plane: its name, and its slice with two buttons. */
export function makePlanes(work, names) {
  const place = byId("planes");
  const parts = names.map((name, plane) => {
    const number = element("span", { className: "slice" });
    const step = (title, what, by) => element("button", {
      title: what, ariaLabel: `${name}: ${what}`, onclick: () => work.scroll(plane, by),
    }, title);
    const large = element("button", {
      className: "plane-name", title: `Show the ${name.toLowerCase()} plane large (${plane + 1})`,
      onclick: () => work.enlarge(plane),
    }, name);
    const bar = element("div", { className: "plane-bar" },
      large, step("−", "slice before", -1), number, step("+", "next slice", 1));
    return { bar, number, plane };
  });
  place.replaceChildren(...parts.map(({ bar }) => bar));
  return () => {
    place.hidden = !work.isOpen;
    if (!work.view.isOpen || !work.view.areas) return;
    for (const { bar, number, plane } of parts) {
      const [left, top] = work.view.areas[plane];
      bar.style.transform = `translate(${left}px, ${top}px)`;
      const { index, count } = work.view.slice(plane);
      number.textContent = `${index + 1}/${count}`;
    }
  };
}
