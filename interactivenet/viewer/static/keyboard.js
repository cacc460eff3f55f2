// Every key and what it does: one table, for the page and for its help.

import { AXES } from "./scan_view.js";
import { element } from "./dom.js";

const arrow = (which, sign) => (work, { shiftKey }) =>
  work.view.step(AXES[work.view.main][which], sign * screen(work, which) * (shiftKey ? 5 : 1));

// whether an axis of RAS runs to the right of the screen, or upwards: 1, else -1
function screen({ view }, which) {
  const matrix = view.matrix(view.main);
  return which === 0 ? Math.sign(matrix[0]) : -Math.sign(matrix[3]);
}

/** [section, keys as the browser names them, shown, what they do, action] */
const KEYS = [
  ["Clicks", ["m"], "M", "A click places an interior margin point", (work) => work.setTool("points")],
  ["Clicks", ["p"], "P", "A click adds what the outline has missed", (work) => work.setTool("add")],
  ["Clicks", ["n"], "N", "A click removes what is not the object", (work) => work.setTool("remove")],
  ["Clicks", ["l", "Escape"], "L or Esc", "A click only moves the crosshair", (work) => work.setTool("look")],
  ["Clicks", ["b"], "B", "Brush", (work) => work.setTool("brush")],
  ["Clicks", ["e"], "E", "Eraser", (work) => work.setTool("erase")],
  ["Clicks", ["[", "]"], "[ and ]", "Brush smaller, larger", (work, { key }) => work.brush.resize(key === "]" ? 1.25 : 0.8)],
  ["Clicks", ["Enter"], "Enter", "Click at the crosshair; with Alt, the opposite correction", (work, { altKey }) => work.click(work.view.cross, { opposite: altKey })],

  ["Points", ["."], ".", "Select the next point", (work) => work.selection.next(1)],
  ["Points", [","], ",", "Select the one before", (work) => work.selection.next(-1)],
  ["Points", ["g"], "G", "Move the selected point to the crosshair", (work) => work.selection.moveHere()],
  ["Points", ["Delete", "Backspace"], "Del", "Delete the selected point", (work) => work.selection.remove()],
  ["Points", ["o"], "O", "New object", (work) => work.addObject()],
  ["Points", ["k"], "K", "Next object", (work) => work.nextObject(1)],
  ["Points", ["j"], "J", "Object before", (work) => work.nextObject(-1)],

  ["View", ["ArrowLeft"], "← → ↑ ↓", "Move the crosshair in the large plane; with Shift, by five", arrow(0, -1)],
  ["", ["ArrowRight"], "", "", arrow(0, 1)],
  ["", ["ArrowUp"], "", "", arrow(1, 1)],
  ["", ["ArrowDown"], "", "", arrow(1, -1)],
  ["View", ["PageUp", "PageDown"], "PgUp, PgDn", "Slices of the large plane", (work, { key }) => work.scroll(work.view.main, key === "PageUp" ? 1 : -1)],
  ["View", ["1", "2", "3"], "1, 2, 3", "Axial, coronal or sagittal plane large", (work, { key }) => work.enlarge(Number(key) - 1)],
  ["View", ["+", "=", "-"], "+ and −", "Zoom", (work, { key }) => work.view.zoom(key === "-" ? 0.8 : 1.25)],
  ["View", ["0"], "0", "The whole scan again", (work) => work.view.resetZoom()],
  ["View", ["w"], "W", "Next window of grey values", (work) => work.display.next()],
  ["View", ["i"], "I", "Next image of the case", (work) => work.nextImage()],
  ["View", ["f"], "F", "Outline or fill", (work) => work.display.toggle("fill")],
  ["View", ["h"], "H", "Hide the outlines, show them", (work) => work.display.toggle("hidden")],

  ["Case", ["ctrl+z"], "Ctrl+Z", "Undo", (work) => work.undo()],
  ["Case", ["ctrl+y", "ctrl+shift+z"], "Ctrl+Y", "Redo", (work) => work.redo()],
  ["Case", ["ctrl+s"], "Ctrl+S", "Save", (work) => work.save()],
  ["Case", ["d"], "D", "Download", (work) => work.download()],
  ["Case", ["x"], "X", "Next case", (work) => work.next()],
  ["Case", ["c"], "C", "To the list of cases; ↑ ↓ and Enter choose one", (work) => work.toCases()],
  ["Case", ["?"], "?", "This help", (work) => work.help()],
];

const MOUSE = [
  ["Wheel", "Slices of the plane below the mouse"],
  ["Left click", "What the tool above the planes says"],
  ["Right click, Alt+click", "The opposite correction; while placing points, nothing"],
  ["Shift+click", "Only move the crosshair, with any tool"],
  ["Drag a point", "Move it"],
  ["Right drag", "Brightness (up, down) and contrast (left, right)"],
  ["Middle drag, or drag beside points", "Move the picture"],
  ["Ctrl+wheel, two fingers", "Zoom"],
];

const WITHOUT_CASE = new Set(["?", "c", "x", "Escape"]);

export function listen(work) {
  const actions = new Map(KEYS.flatMap(([, keys, , , action]) => keys.map((key) => [key, action])));
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]")) return;
    const { target } = event;
    const key = named(event);
    const action = actions.get(key);
    // a field has letters and an undo of its own
    const typing = target.matches(
      "input:not([type=range], [type=file], [type=checkbox]), select, textarea");
    if (!action || (typing && key !== "ctrl+s")) return;
    if (event.altKey && /^[a-z]$/.test(key)) return; // the browser's
    // a button's Enter, a slider's and the list's arrows are their own
    if (key === "Enter" && target.closest("button, a, label, [role=radio]")) return;
    if (key.startsWith("Arrow") && target.closest("input, #cases, #tools")) return;
    if (!work.isOpen && !WITHOUT_CASE.has(key)) return;
    event.preventDefault();
    action(work, event);
  });
}

function named({ key, ctrlKey, metaKey, shiftKey }) {
  const letter = key.length === 1 ? key.toLowerCase() : key;
  if (!ctrlKey && !metaKey) return letter;
  return `ctrl+${shiftKey ? "shift+" : ""}${letter}`;
}

export function fillHelp(dialog) {
  const sections = [...new Set(KEYS.map(([section]) => section).filter(Boolean))];
  const row = (left, right) =>
    element("tr", {}, element("td", {}, element("kbd", {}, left)), element("td", {}, right));
  const table = (name, rows) => element("section", { className: name.toLowerCase() },
    element("h3", {}, name), element("table", {}, element("tbody", {}, ...rows)));
  dialog.replaceChildren(
    element("div", { className: "heading" },
      element("h2", { id: "help-title" }, "Keys and mouse"),
      element("button", { onclick: () => dialog.close() }, "Close")),
    element("div", { className: "columns" },
      ...sections.map((section) => table(section, KEYS
        .filter(([of, , shown]) => of === section && shown)
        .map(([, , shown, what]) => row(shown, what)))),
      table("Mouse", MOUSE.map(([how, what]) => row(how, what)))),
  );
}
