// The last resort: an outline drawn by hand, in the plane below the mouse.

import { runs } from "./label_map.js";
import { AXES } from "./scan_view.js";

const [SMALLEST, LARGEST] = [0.5, 60];

export class Brush {
  constructor(work) {
    this.work = work;
    this.radius = 4; // mm
    this.strokes = 0;
    this.end();
  }

  end() {
    this.hovering = this.stroking = null;
  }

  get isOn() {
    return this.work.isOpen && (this.work.tool === "brush" || this.work.tool === "erase");
  }

  erases(opposite) {
    return (this.work.tool === "erase") !== opposite;
  }

  resize(factor) {
    this.radius = Math.min(LARGEST, Math.max(SMALLEST, this.radius * factor));
    if (this.hovering) this.hovering.radius = this.radius;
    this.work.say(`Brush: ${(2 * this.radius).toPrecision(2)} mm wide.`);
    this.work.changed();
  }

  hover(where) {
    const was = this.hovering;
    const over = where && where.plane !== null && this.isOn;
    this.hovering = over ? { ...where, radius: this.radius } : null;
    if (was || this.hovering) this.work.changed("layers");
  }

  /** What is drawn until the button is released: {plane, places, erase}, mm. */
  stroke(stroke) {
    const { annotation } = this.work;
    const colour = annotation?.colour(annotation.active);
    this.stroking = stroke?.places.length ? { ...stroke, radius: this.radius, colour } : null;
    this.work.changed("layers");
  }

  /** stroke: {plane, slice: the one that was shown, places}, mm. */
  paint({ plane, slice, places }, erase) {
    const { work } = this;
    this.stroke(null);
    if (!places.length || !work.map) return;
    const { active, objects } = work.annotation;
    const value = objects.indexOf(active) + 1;
    const painted = work.map.painted(value, places.map((mm) => work.view.voxelOf(mm)), {
      axes: AXES[plane], slice, radius: this.radius, spacing: work.view.spacing, erase,
    });
    if (erase && !painted.boxes.has(value)) {
      work.say("Nothing would be left of the object. Delete the object instead.");
      return;
    }
    work.map = work.outlining.map = painted;
    const key = ++this.strokes;
    work.annotation.paint(active.id, { key, runs: runs(painted.maskOf(value)) });
    work.edited();
  }
}
