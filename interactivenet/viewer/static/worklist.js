// The list of cases.

import { byId, element } from "./dom.js";

const STATUS = { new: "", points: "points", outlined: "outlined", downloaded: "downloaded" };
const DONE = ["outlined", "downloaded"];

/** from so many cases on, they can be searched */
const MANY = 15;

export class CaseList {
  /** chosen: called with the case that a person wants to open. */
  constructor(chosen) {
    this.chosen = chosen;
    this.entries = [];
    this.places = new Map(); // where a case stands: it stays there, whatever becomes of it
    this.list = byId("cases");
    this.list.addEventListener("keydown", (event) => this.#move(event));
    this.find = byId("find");
    this.find.addEventListener("input", () => this.fill(this.entries, this.open));
    this.find.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "Enter") this.list.querySelector("button")?.focus();
      else if (event.key !== "Escape") return;
      else this.focus();
      event.preventDefault();
    });
  }

  /** entries: as the server gives them; open: id of one; downloaded: ids that the server knows not. */
  fill(entries, open, downloaded = new Set()) {
    const isOther = open !== this.open;
    const kept = (each) => (downloaded.has(each.id) && each.status !== "outlined"
      ? { ...each, status: "downloaded" } : each);
    Object.assign(this, { entries: this.#inPlace(entries).map(kept), open });
    this.find.hidden = entries.length < MANY;
    const wanted = this.find.value.trim().toLowerCase();
    const shown = this.entries.filter((each) => each.name.toLowerCase().includes(wanted));
    const sources = new Set(entries.map((each) => each.source));
    const focused = document.activeElement?.dataset?.case;
    let source = null;
    const rows = [];
    for (const entry of shown) {
      if (sources.size > 1 && entry.source !== source) {
        source = entry.source;
        rows.push(element("li", { className: "source", title: source }, short(source)));
      }
      rows.push(element("li", {}, this.#row(entry, entry.id === open)));
    }
    if (!rows.length) rows.push(element("li", { className: "source" }, wanted ? "No case is called so." : "There are no cases."));
    this.list.replaceChildren(...rows);
    if (focused) this.list.querySelector(`[data-case="${CSS.escape(focused)}"]`)?.focus();
    if (isOther) this.list.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  }

  // the server's order is what is best done next: it changes while somebody looks at the list
  #inPlace(entries) {
    for (const { id } of entries) {
      if (!this.places.has(id)) this.places.set(id, this.places.size);
    }
    return [...entries].sort((a, b) => this.places.get(a.id) - this.places.get(b.id));
  }

  #row(entry, isOpen) {
    const told = [STATUS[entry.status] ?? entry.status];
    if (entry.expected_dice !== null && entry.expected_dice !== undefined) {
      told.push(`Dice ${entry.expected_dice.toFixed(2)}`);
    }
    const button = element("button", {
      className: `case ${isOpen ? "open" : ""} ${entry.problem ? "broken" : ""}`,
      title: entry.problem || entry.name,
      onclick: () => this.chosen(entry),
    },
    element("span", { className: "name" }, entry.name),
    element("span", { className: `status ${entry.status}` }, told.filter(Boolean).join(" · ")));
    if (entry.problem) button.append(element("span", { className: "problem" }, entry.problem));
    button.dataset.case = entry.id;
    if (isOpen) button.setAttribute("aria-current", "true");
    return button;
  }

  #move(event) {
    const way = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!way) return;
    event.preventDefault();
    const buttons = [...this.list.querySelectorAll("button")];
    buttons[buttons.indexOf(document.activeElement) + way]?.focus();
  }

  focus() {
    const open = this.list.querySelector("[aria-current]") ?? this.list.querySelector("button");
    open?.focus();
  }

  /** The next case after the open one that is not outlined yet, and can be opened. */
  after(id) {
    const start = this.entries.findIndex((each) => each.id === id) + 1;
    const turned = [...this.entries.slice(start), ...this.entries.slice(0, start)];
    return turned.find((each) =>
      each.id !== id && !each.problem && !DONE.includes(each.status)) ?? null;
  }
}

function short(source) {
  return source.split(/[\\/]/).filter(Boolean).at(-1) ?? source;
}
