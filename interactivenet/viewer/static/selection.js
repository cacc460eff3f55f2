// The point, or the correction, that is selected: to be looked at, moved or deleted.

import { complete } from "./annotation.js";

export class Selection {
  constructor(work) {
    this.work = work;
    this.end();
  }

  /** mark: {id: of the object, kind: "points" or "corrections", index}; null for none. */
  end() {
    this.mark = null;
    this.dragging = false;
  }

  select(mark) {
    const { annotation, view } = this.work;
    this.mark = mark;
    if (mark) {
      annotation.activate(mark.id);
      view.goTo(this.#place(mark));
    }
    this.work.changed();
  }

  #place({ id, kind, index }) {
    const item = this.work.annotation.objects.find((each) => each.id === id)[kind][index];
    return kind === "points" ? item : item.position;
  }

  /** The next of the object's marks, or the one before. */
  next(way) {
    const { active } = this.work.annotation;
    const all = ["points", "corrections"].flatMap((kind) =>
      active[kind].map((_, index) => ({ id: active.id, kind, index })));
    if (!all.length) return;
    const now = all.findIndex((each) =>
      this.mark?.kind === each.kind && this.mark.index === each.index);
    const first = way > 0 ? 0 : all.length - 1;
    this.select(all[now < 0 ? first : (now + way + all.length) % all.length]);
  }

  /** A mark follows the mouse; nothing is asked until it is dropped. */
  drag(mark, mm) {
    const { annotation } = this.work;
    if (this.dragging) annotation.undo();
    this.dragging = true;
    annotation.move(mark, mm);
    this.mark = mark;
    this.work.changed();
  }

  drop() {
    this.dragging = false;
    this.work.edited();
  }

  moveHere() {
    const { work } = this;
    if (!this.mark) return work.say("Select a point first (. or ,), then move the crosshair.");
    work.annotation.move(this.mark, work.view.cross);
    return work.edited();
  }

  remove() {
    const { work } = this;
    if (!this.mark) return work.say("Select a point first: click on it, or press . or ,");
    work.annotation.remove(this.mark);
    const wasPoint = this.mark.kind === "points";
    this.end();
    if (wasPoint && !complete(work.annotation.active)) work.tool = "points";
    return work.edited();
  }
}
