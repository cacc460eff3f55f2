// A case's objects with their points and corrections, and what came before: for undo and redo.

const KEPT = 200;
export const NEEDED = 6;
/** told apart by the colour-blind, too, and on grey */
const COLOURS = [
  "#2fb4ff", "#ffb000", "#ff5fa2", "#3ddc97", "#b79cff", "#ff7a3d", "#e8e34a", "#5ce1e6",
];

export const complete = (object) => object.points.length >= NEEDED;

/** The mean of some places, mm. */
export const middle = (places) =>
  [0, 1, 2].map((axis) => places.reduce((sum, each) => sum + each[axis], 0) / places.length);

export class Annotation {
  /** objects: [{id, label, points, corrections}], as the server gives those of earlier. */
  constructor(objects, label) {
    const ours = objects.map((each) => ({ corrections: [], ...each, brush: null }));
    this.state = { objects: ours, active: ours[0]?.id ?? "" };
    this.before = [];
    this.after = [];
    if (!ours.length) this.state = added(this.state, label);
    this.saved = this.state;
  }

  get objects() {
    return this.state.objects;
  }

  get active() {
    return this.objects.find((each) => each.id === this.state.active) ?? this.objects[0];
  }

  get unsaved() {
    return content(this.state) !== content(this.saved);
  }

  /** Whether all there is has been saved, since the case was opened or before. */
  get isSaved() {
    return !this.unsaved && content(this.saved) !== "[]";
  }

  colour(object) {
    return COLOURS[this.objects.indexOf(object) % COLOURS.length];
  }

  activate(id) {
    this.state = { ...this.state, active: id };
  }

  #become(state) {
    this.before.push(this.state);
    this.before.splice(0, this.before.length - KEPT);
    this.after = [];
    this.state = state;
  }

  /** Change one object; its brush's work goes where its points or corrections change. */
  #change(id, change) {
    const objects = this.objects.map((each) => (each.id === id ? { ...each, ...change } : each));
    this.#become({ ...this.state, objects });
  }

  addPoint(position) {
    const { id, points } = this.active;
    this.#change(id, { points: [...points, position], brush: null });
  }

  addCorrection(position, positive) {
    const { id, corrections } = this.active;
    this.#change(id, { corrections: [...corrections, { position, positive }], brush: null });
  }

  /** place: {id, kind: "points" or "corrections", index} */
  move({ id, kind, index }, position) {
    const list = [...this.objects.find((each) => each.id === id)[kind]];
    list[index] = kind === "points" ? position : { ...list[index], position };
    this.#change(id, { [kind]: list, brush: null });
  }

  remove({ id, kind, index }) {
    const list = this.objects.find((each) => each.id === id)[kind];
    this.#change(id, { [kind]: list.filter((_, number) => number !== index), brush: null });
  }

  rename(id, label) {
    this.#change(id, { label });
  }

  /** brush: {key, runs}: what a person has drawn. */
  paint(id, brush) {
    this.#change(id, { brush });
  }

  addObject(label) {
    this.#become(added(this.state, label));
  }

  removeObject(id) {
    const objects = this.objects.filter((each) => each.id !== id);
    const label = this.objects.find((each) => each.id === id).label;
    const rest = { objects, active: objects[0]?.id ?? "" };
    this.#become(objects.length ? rest : added(rest, label));
  }

  undo() {
    return this.#turn(this.before, this.after);
  }

  redo() {
    return this.#turn(this.after, this.before);
  }

  #turn(from, to) {
    if (!from.length) return false;
    to.push(this.state);
    this.state = from.pop();
    return true;
  }
}

function added(state, label) {
  // unguessable, as all ids are; crypto.randomUUID is not there without TLS
  const random = crypto.getRandomValues(new Uint8Array(9));
  const id = Array.from(random, (each) => each.toString(16).padStart(2, "0")).join("");
  const object = { id, label, points: [], corrections: [], brush: null };
  return { objects: [...state.objects, object], active: id };
}

// what would be lost: objects without a point are none
function content({ objects }) {
  const kept = objects.filter((each) => each.points.length);
  const parts = kept.map((each) => [
    each.label, each.points, each.corrections, each.brush?.key ?? null,
  ]);
  return JSON.stringify(parts);
}
