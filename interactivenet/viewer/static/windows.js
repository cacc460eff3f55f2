// Windows of grey values, and how outlines are drawn.

/** name -> [level, width] in Hounsfield units, as radiologists set them */
const CT = {
  "Soft tissue": [40, 400], Lung: [-600, 1500], Bone: [400, 1800], Brain: [40, 80],
};
const WHOLE = "Automatic";
export const OWN = "Own";

export class Display {
  constructor(work) {
    this.work = work;
    Object.assign(this, { fill: false, hidden: false, opacity: 0.9, smooth: true });
    this.presets = new Map();
    this.preset = WHOLE;
  }

  /** A scan is shown: what there is to choose from, and what an image had before. */
  begin(number) {
    const { view } = this.work;
    const isCT = this.work.opened.images[number].modality === "CT";
    this.presets = new Map(isCT ? [] : [[WHOLE, view.window]]);
    for (const [name, [level, width]] of isCT ? Object.entries(CT) : []) {
      this.presets.set(name, [level - width / 2, level + width / 2]);
    }
    const before = this.kept?.get(number);
    [this.preset] = this.presets.keys();
    if (before) this.choose(before.preset, before.window);
    else this.choose(this.preset);
  }

  /** Remember an image's window, for when it is shown again. */
  keep(number) {
    this.kept ??= new Map();
    this.kept.set(number, { preset: this.preset, window: this.work.view.window });
  }

  forget() {
    this.kept = null;
  }

  choose(name, window = this.presets.get(name)) {
    this.preset = name;
    if (window) this.work.view.window = window;
    this.work.changed();
  }

  next() {
    const names = [...this.presets.keys()];
    this.choose(names[(names.indexOf(this.preset) + 1) % names.length]);
    this.work.say(`Window: ${this.preset}.`);
  }

  get level() {
    const [low, high] = this.work.view.window;
    return (low + high) / 2;
  }

  get width() {
    const [low, high] = this.work.view.window;
    return high - low;
  }

  set(level, width) {
    this.choose(OWN, [level - width / 2, level + width / 2]);
  }

  /** By the mouse: to the right, less contrast; up, brighter. */
  shift(dx, dy) {
    this.set(this.level + (dy * this.width) / 300, this.width * Math.max(0.1, 1 + dx / 200));
  }

  toggle(what) {
    this[what] = !this[what];
    if (what === "smooth") this.work.view.smooth = this.smooth;
    this.work.changed();
  }

  setOpacity(opacity) {
    this.opacity = opacity;
    this.work.changed();
  }
}
