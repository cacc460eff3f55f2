// What lies over the scan: outlines, points, corrections, crosshair and letters, as SVG.

import { contour } from "./contours.js";
import { drawn } from "./dom.js";
import { AXES, PLANES, SIDES } from "./scan_view.js";

/** so many slices away a point can still be seen, faintly */
const FAINT = 2.5;
const FAINTEST = 0.25;
const RADIUS = 6;
const NARROW = 400; // pixels: twice what the buttons above a plane need

export class Layers {
  constructor(svg, view) {
    this.svg = svg;
    this.view = view;
    this.cache = new Map(); // outlines of slices, of one map
  }

  /** shown: {annotation, map, display, selected, stroke, brush} */
  draw(shown) {
    if (!this.view.isOpen) {
      this.svg.replaceChildren();
      return;
    }
    if (this.map !== shown.map) {
      this.map = shown.map;
      this.cache.clear();
    }
    this.svg.replaceChildren(...PLANES.map((_, plane) => this.#plane(plane, shown)));
  }

  #plane(plane, shown) {
    const [x, y, width, height] = this.view.areas[plane];
    const frame = drawn("svg", { x, y, width, height, class: "plane" });
    // inside, pixels are those of the whole canvas
    frame.setAttribute("viewBox", `${x} ${y} ${width} ${height}`);
    frame.append(...this.#outlines(plane, shown), ...this.#cross(plane, x, y, width, height));
    if (shown.stroke?.plane === plane) frame.append(this.#stroke(plane, shown.stroke));
    for (const object of shown.annotation.objects) {
      if (object !== shown.annotation.active) frame.append(...this.#marks(plane, object, shown));
    }
    frame.append(...this.#marks(plane, shown.annotation.active, shown));
    if (shown.brush?.plane === plane) frame.append(this.#brush(plane, shown.brush));
    frame.append(...this.#letters(plane, x, y, width, height));
    const chosen = { x: x + 0.5, y: y + 0.5, width: width - 1, height: height - 1, class: "frame" };
    if (this.view.main === plane) frame.append(drawn("rect", chosen));
    return frame;
  }

  #outlines(plane, { annotation, map, display }) {
    if (!map || display.hidden) return [];
    const { index } = this.view.slice(plane);
    const matrix = `matrix(${this.view.matrix(plane).join(" ")})`;
    return annotation.objects.flatMap((object, number) => {
      const key = `${plane} ${index} ${number}`;
      let path = this.cache.get(key);
      if (path === undefined) {
        path = contour(map, number + 1, AXES[plane], index);
        this.cache.set(key, path);
      }
      if (!path) return [];
      const colour = annotation.colour(object);
      const fill = display.fill ? colour : "none";
      const shape = {
        d: path, transform: matrix, class: "outline", stroke: colour, fill,
        "fill-opacity": 0.5 * display.opacity, "stroke-opacity": display.fill ? 0.9 : display.opacity,
        "stroke-width": object === annotation.active ? 2 : 1.4, "data-object": object.id,
      };
      return [drawn("path", shape)];
    });
  }

  #cross(plane, left, top, width, height) {
    const { x, y } = this.view.pixelOf(this.view.cross, plane);
    const gap = 10;
    const lines = [
      [left, y, x - gap, y], [x + gap, y, left + width, y],
      [x, top, x, y - gap], [x, y + gap, x, top + height],
    ];
    return lines.map(([x1, y1, x2, y2]) => drawn("line", { x1, y1, x2, y2, class: "cross" }));
  }

  #marks(plane, object, { annotation, selected }) {
    const colour = annotation.colour(object);
    const marks = [];
    const add = (kind, index, position, make) => {
      const { x, y, away } = this.view.pixelOf(position, plane);
      if (away > FAINT) return;
      const near = away <= 0.5 + 1e-3;
      const opacity = near ? 1 : Math.max(FAINTEST, 0.6 * (1 - (away - 0.5) / (FAINT - 0.5)));
      const chosen = selected?.id === object.id && selected.kind === kind
        && selected.index === index;
      const mark = drawn("g", {
        class: `mark ${chosen ? "chosen" : ""} ${near ? "near" : "far"}`, opacity,
        transform: `translate(${x} ${y})`, "data-object": object.id, "data-kind": kind,
        "data-index": index,
      }, drawn("circle", { r: RADIUS + 2, class: "grip" }), ...make(near));
      if (chosen) mark.append(drawn("circle", { r: RADIUS + 4, class: "ring" }));
      marks.push(mark);
    };
    object.points.forEach((position, index) => add("points", index, position, (near) => [
      drawn("circle", { r: near ? RADIUS - 1 : RADIUS - 2, fill: colour, class: "dot" }),
      drawn("text", { y: -RADIUS - 3, class: "number" }, near ? String(index + 1) : ""),
    ]));
    object.corrections.forEach(({ position, positive }, index) =>
      add("corrections", index, position, () => [
        drawn("circle", { r: RADIUS, class: positive ? "positive" : "negative" }),
        drawn("path", { d: positive ? "M-3.5 0H3.5M0 -3.5V3.5" : "M-3.5 0H3.5", class: "sign" }),
      ]));
    return marks;
  }

  #brush(plane, { x, y, radius, erase }) {
    const [a, , , d] = this.view.matrix(plane);
    const [u, v] = AXES[plane];
    const [rx, ry] = [(radius / this.view.spacing[u]) * a, (radius / this.view.spacing[v]) * d];
    return drawn("ellipse", {
      cx: x, cy: y, rx: Math.abs(rx), ry: Math.abs(ry), class: erase ? "brush erase" : "brush",
    });
  }

  #stroke(plane, { places, radius, colour, erase }) {
    const [a] = this.view.matrix(plane);
    const width = (2 * radius / this.view.spacing[AXES[plane][0]]) * Math.abs(a);
    const points = places.map((mm) => {
      const { x, y } = this.view.pixelOf(mm, plane);
      return `${x} ${y}`;
    });
    const d = `M${points.join("L")}${points.length === 1 ? "h0.01" : ""}`;
    return drawn("path", {
      d, class: "stroke", "stroke-width": width, stroke: erase ? "#000" : colour,
    });
  }

  #letters(plane, left, top, width, height) {
    const [west, east, south, north] = SIDES[plane];
    const [x, y] = [left + width / 2, top + height / 2];
    const places = [
      [west, left + 10, y, "start"], [east, left + width - 10, y, "end"],
      [south, x, top + height - 10, "middle"],
      [north, x, top + (width < NARROW ? 46 : 18), "middle"], // below its plane's buttons
    ];
    return places.map(([letter, px, py, anchor]) =>
      drawn("text", { x: px, y: py, class: "letter", "text-anchor": anchor }, letter));
  }
}

