// What to do next, and what an interior margin point is.

import { complete, NEEDED } from "./annotation.js";
import { drawn, element } from "./dom.js";

// an object seen from the front of the feet, and from the front: right side of the patient left
const BLOB = "M10 36C8 20 26 8 46 10S88 18 90 36 74 62 50 62 12 52 10 36Z";
const SPOTS = {
  right: ["axial", 17, 37], left: ["axial", 83, 36], front: ["axial", 46, 17],
  back: ["axial", 52, 55], top: ["coronal", 46, 17], bottom: ["coronal", 52, 55],
};
const ARROWS = {
  right: "M0 37H10", left: "M102 36H90", front: "M46 -4V9", back: "M52 76V63",
  top: "M46 -4V9", bottom: "M52 76V63",
};

/** The extreme that a sentence of the server speaks of. */
function extremeIn(sentence) {
  return Object.keys(SPOTS).find((name) => new RegExp(`\\b${name}\\b`).test(sentence)) ?? "";
}

function picture(plane, next) {
  const spots = Object.entries(SPOTS).filter(([, [of]]) => of === plane);
  const marks = spots.flatMap(([name, [, x, y]]) => [
    drawn("circle", { cx: x, cy: y, r: name === next ? 5 : 3.5, class: name === next ? "next" : "spot" }),
    ...(name === next ? [drawn("path", { d: ARROWS[name], class: "arrow" })] : []),
  ]);
  return drawn(
    "svg", { viewBox: "-14 -8 128 96", class: "drawing", role: "img", "aria-label": `${plane} plane: points lie just inside the object's edge` },
    drawn("path", { d: BLOB, class: "blob" }), ...marks,
    drawn("text", { x: 50, y: 86, class: "caption" }, plane === "axial" ? "Axial" : "Coronal"),
    drawn("text", { x: -8, y: 40, class: "side" }, "R"), drawn("text", { x: 105, y: 40, class: "side" }, "L"),
  );
}

const HINT = {
  add: "Click what the outline has missed. Alt+click or right click removes instead.",
  remove: "Click what is not the object. Alt+click or right click adds instead.",
  look: "Not right? “+ Add” (P) and click what it has missed, or “− Remove” (N) and click what is "
    + "too much.",
  brush: "Draw in any plane; Alt erases, [ and ] change the size. A later click on the outline replaces what you drew.",
  erase: "Erase in any plane; Alt draws, [ and ] change the size. A later click on the outline replaces what you drew.",
  points: "This object has its six points. Begin another with “New object”, or correct this one.",
};

export function showGuide(place, work) {
  const parts = work.isOpen ? steps(work) : [];
  const { mark } = work.selection;
  if (work.isOpen && mark) {
    const name = mark.kind === "points" ? `Point ${mark.index + 1}` : `Correction ${mark.index + 1}`;
    parts.push(element("div", { className: "heading" }, `${name} is selected`, element("button", {
      id: "delete-point", title: "Delete it (Del)", onclick: () => work.selection.remove(),
    }, "Delete point")));
  }
  place.replaceChildren(...parts);
}

function steps(work) {
  const { active } = work.annotation;
  const result = work.resultOf(active);
  const colour = work.annotation.colour(active);
  const name = element("strong", {}, active.label);
  name.style.color = colour;
  if (complete(active)) {
    const failed = result?.problems.length ? ": no outline." : ": outlining …";
    return [element("p", { className: "step" }, name, result?.complete ? ": outlined." : failed),
      element("p", { className: "hint" }, HINT[work.tool])];
  }
  const placed = active.points.length;
  const next = result?.placed === placed ? result.next : "";
  return [
    element("p", { className: "step" }, name, ` · ${placed} of ${NEEDED} points`),
    element("div", { className: "progress", role: "img", ariaLabel: `${placed} of ${NEEDED}` },
      ...Array.from({ length: NEEDED }, (_, number) =>
        element("i", { className: number < placed ? "done" : "" }))),
    element("p", { className: "next" }, next || "Place six points just inside the object's edge."),
    element("div", { className: "drawings" },
      picture("axial", extremeIn(next)), picture("coronal", extremeIn(next))),
    element("p", { className: "hint" },
      "An interior margin point lies inside the object, close to one of its six extremes. "
      + "Turn the wheel to find the slice, then click. “Left” is the patient's."),
  ];
}
