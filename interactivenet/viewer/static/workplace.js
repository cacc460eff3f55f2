// One person at work: the open case, and everything that can be done with it.

import { Annotation, complete, middle, NEEDED } from "./annotation.js";
import { Brush } from "./brush.js";
import * as messages from "./messages.js";
import { Outlining } from "./outlining.js";
import { goOn } from "./same_scan.js";
import * as server from "./server.js";
import { save } from "./saving.js";
import { AXES } from "./scan_view.js";
import { Selection } from "./selection.js";
import { Display } from "./windows.js";

const ALIVE = 30000;

export class Workplace {
  /** changed: called whenever something has changed, with "layers" where nothing else has. */
  constructor(view, changed) {
    Object.assign(this, { view, changed });
    this.tool = "points";
    this.display = new Display(this);
    this.brush = new Brush(this);
    this.selection = new Selection(this);
    this.images = new Map(); // bytes of the case's images
    this.downloaded = new Set(); // ids of cases
    setInterval(() => this.session?.alive().catch(() => {}), ALIVE);
  }

  get isOpen() {
    return Boolean(this.annotation);
  }

  /** Whether a click places a point. */
  get isPlacing() {
    return this.tool === "points" && !complete(this.annotation.active);
  }

  say(sentence, kind) {
    messages.say(sentence, kind);
  }

  // a case

  async open(entry, model) {
    if (!(await this.mayLeave())) return false;
    this.close();
    messages.say("");
    messages.welcome("");
    messages.wait(`Opening ${entry.name} …`);
    const opening = (this.opening = {}); // until another case is chosen
    try {
      const opened = await server.open(entry.id, model);
      const session = new server.Session(opened.session);
      if (this.opening !== opening) {
        session.close();
        return false;
      }
      Object.assign(this, { session, entry, model, opened });
      await this.showImage(0);
      if (this.opening !== opening) return false;
      this.begin();
    } catch (error) {
      if (this.opening !== opening) return false;
      this.close();
      messages.welcome("This case cannot be opened", error.message);
      messages.complain(error, { name: "Try again", run: () => this.openCase(entry) });
    }
    messages.wait("");
    this.changed();
    return this.isOpen;
  }

  begin() {
    const annotation = this.annotation = new Annotation(this.opened.objects, this.firstLabel);
    this.over = this.opened.over; // what is saved of the case, of which these objects are
    this.tool = complete(this.annotation.active) ? "look" : "points";
    this.outlining = new Outlining(this.session, {
      state: () => annotation.objects,
      grid: () => ({ strides: this.view.strides, shape: this.view.shape }),
      told: (news) => this.told(news),
    });
    const first = this.annotation.active.points[0];
    if (first) this.view.goTo(first);
    this.outlining.request();
  }

  close() {
    this.outlining?.close();
    this.session?.close();
    this.opening = this.session = this.annotation = this.outlining = this.entry = null;
    this.opened = this.map = this.answer = null;
    this.selection.end();
    this.brush.end();
    this.display.forget();
    this.outlineBusy = "";
    this.images = new Map(); // another one: what still comes goes into that of before
    this.view.close();
    this.changed();
  }

  async mayLeave() {
    if (!this.annotation?.unsaved) return true;
    const answer = await messages.question(
      `What you have done with ${this.entry.name} is not saved.`,
      [["save", "Save and leave", "main"], ["leave", "Leave without saving"], ["stay", "Stay"]],
    );
    return answer === "leave" || (answer === "save" && (await save(this)));
  }

  /** The same annotation with another model. */
  async reopen(model) {
    try {
      const { session } = this;
      await goOn(this, model);
      session.close();
      return true;
    } catch (error) {
      messages.complain(error);
      return false;
    }
  }

  async showImage(number) {
    const { images, opened } = this;
    if (!images.has(number)) images.set(number, await server.image(opened.images[number].url));
    if (this.images !== images) return; // of a case that was left meanwhile
    if (this.view.isOpen) this.display.keep(this.image);
    const window = number ? null : opened.window; // others: NiiVue's own percentiles
    if (!(await this.view.show(images.get(number).slice(0), window))) return;
    this.image = number;
    this.display.begin(number);
    this.changed();
  }

  /** Show another image of the case; where it cannot be had, that is said. */
  async switchImage(number) {
    try {
      await this.showImage(number);
    } catch (error) {
      messages.complain(error, { name: "Try again", run: () => this.switchImage(number) });
      this.changed();
    }
  }

  nextImage() {
    const count = this.opened.images.length;
    if (count > 1) return this.switchImage((this.image + 1) % count);
    return this.say("This case has one image.");
  }

  // outlines

  told({ busy, answer, map, error }) {
    if (busy !== undefined) this.outlineBusy = busy;
    if (answer) {
      this.answer = answer;
      this.map = map;
    }
    const done = error ? this.#failed(error) : null;
    this.changed();
    return done;
  }

  async #failed(error) {
    if (error.status !== 404) {
      const again = () => this.outlining?.request();
      messages.complain(error, { name: "Try again", run: again });
      return;
    }
    // the server has closed what was left alone, or was started anew: nothing is lost, all is here
    try {
      await goOn(this, this.model);
      await this.refresh?.();
    } catch (again) {
      if (this.outlining) this.outlining.failure = again;
      messages.complain(again, { name: "Try again", run: () => this.outlining?.request() });
    }
  }

  /** What is to be known of the scan and its outlines, a sentence each. */
  get notes() {
    return [...new Set([...(this.opened?.notes ?? []), ...(this.answer?.notes ?? [])])];
  }

  resultOf(object) {
    return this.answer?.objects.find((each) => each.id === object.id);
  }

  // what a person does

  edited() {
    this.changed();
    this.outlining.request();
  }

  setTool(tool) {
    const needs = { add: "corrections", remove: "corrections", brush: "the brush", erase: "the eraser" };
    if (needs[tool] && !complete(this.annotation.active)) {
      this.say(`Place ${NEEDED} points first: ${needs[tool]} can only change an outline.`);
      return;
    }
    this.tool = tool;
    this.brush.end();
    this.changed();
  }

  click(mm, { opposite = false } = {}) {
    if (!this.view.contains(mm)) return;
    const { active } = this.annotation;
    if (this.tool === "look" || this.brush.isOn) {
      this.view.goTo(mm);
      return;
    }
    if (this.tool === "points") {
      if (opposite) return;
      if (complete(active)) {
        this.say("This object has its six points. Correct it (P, N), or begin a new one (O).");
        return;
      }
      this.annotation.addPoint(mm);
    } else {
      this.annotation.addCorrection(mm, (this.tool === "add") !== opposite);
    }
    this.selection.end();
    const { points } = this.annotation.active;
    const isLast = this.tool === "points" && points.length === NEEDED;
    if (isLast) this.tool = "look"; // and there is more to see in the object's middle
    this.view.goTo(isLast ? middle(points) : mm);
    this.edited();
  }

  get firstLabel() {
    return this.opened.labels[0]?.name ?? "object";
  }

  addObject() {
    const { active } = this.annotation;
    if (!active.points.length) return this.setTool("points");
    this.annotation.addObject(active.label || this.firstLabel);
    this.tool = "points";
    this.selection.end();
    return this.edited();
  }

  /** Points for an object that lacks some, and not for one that has them. */
  fitTool() {
    if (!complete(this.annotation.active)) this.tool = "points";
    else if (this.tool === "points") this.tool = "look";
  }

  removeObject(id) {
    this.annotation.removeObject(id);
    this.#turned();
  }

  activate(id) {
    this.annotation.activate(id);
    if (this.selection.mark?.id !== id) this.selection.end();
    this.fitTool();
    const [first] = this.annotation.active.points;
    if (first) this.view.goTo(first);
    this.changed();
  }

  nextObject(way) {
    const { objects, active } = this.annotation;
    this.activate(objects[(objects.indexOf(active) + way + objects.length) % objects.length].id);
  }

  rename(id, label) {
    this.annotation.rename(id, label);
    this.edited();
  }

  undo() {
    if (this.annotation.undo()) this.#turned();
  }

  redo() {
    if (this.annotation.redo()) this.#turned();
  }

  #turned() {
    this.selection.end();
    this.fitTool();
    this.edited();
  }

  // the look

  scroll(plane, slices) {
    this.view.step(AXES[plane][2], slices);
  }

  enlarge(plane) {
    this.view.enlarge(plane);
    this.changed();
  }
}
