// The one module that knows NiiVue: three planes of a scan, and where a place lies in them.
//
// Positions are mm along RAS+, as nibabel's affine gives them. "Voxel" is an index along the scan's
// axes turned to RAS+ (fractions allowed; whole numbers are centres). Pixels are CSS pixels.
/* global niivue */
import { leaveOutGradient } from "./gradient.js";

export const PLANES = ["Axial", "Coronal", "Sagittal"];
/** plane -> axes of RAS to the right and upwards in it, and across it */
export const AXES = [[0, 1, 2], [0, 2, 1], [1, 2, 0]];
/** letters at the left, right, bottom and top, as radiologists look at it */
export const SIDES = [["R", "L", "P", "A"], ["R", "L", "I", "S"], ["A", "P", "I", "S"]];
const GAP = 4;

export class ScanView {
  /** onDraw: called whenever what is shown has changed. */
  constructor(canvas, onDraw) {
    this.canvas = canvas;
    this.onDraw = onDraw;
    this.main = 0;
    this.nv = new niivue.Niivue({
      interactive: false,
      dragAndDropEnabled: false,
      isOrientationTextVisible: false,
      isRadiologicalConvention: true,
      sagittalNoseLeft: true,
      multiplanarShowRender: 0,
      crosshairWidth: 0,
      show3Dcrosshair: false,
      backColor: [0, 0, 0, 1],
      loadingText: "",
      logLevel: "error",
    });
  }

  async start() {
    // pictures for its own texts and meshes, of which there are none: they would be data: addresses
    this.nv.loadPngAsTexture = async () => null;
    await this.nv.attachToCanvas(this.canvas, false);
    leaveOutGradient(this.nv);
    new ResizeObserver(() => this.arrange()).observe(this.canvas.parentElement);
    this.arrange();
  }

  get isOpen() {
    return this.nv.volumes.length > 0;
  }

  /**
   * Show a NIfTI file's bytes; where the crosshair and the zoom stay, if it is the same grid.
   * Gives whether it is shown: not where it was closed meanwhile, or another is to be shown.
   */
  async show(buffer, window) {
    const { NVImage } = niivue;
    const showing = (this.showing = {});
    const image = await NVImage.loadFromUrl({ url: buffer, name: "scan.nii.gz" });
    if (this.showing !== showing) return false;
    const same = this.isOpen && String(this.shape) === String(image.dimsRAS.slice(1, 4));
    this.close();
    if (window) [image.cal_min, image.cal_max] = window;
    this.nv.addVolume(image);
    if (!same) {
      this.nv.scene.crosshairPos = [0.5, 0.5, 0.5];
      this.cross = this.mmOf(this.shape.map((size) => Math.floor(size / 2)));
      this.resetZoom();
    } else this.draw();
    return true;
  }

  /** Free the scan: its voxels, and its texture. */
  close() {
    this.showing = null;
    for (const volume of [...this.nv.volumes]) {
      this.nv.removeVolume(volume);
      volume.img = null;
    }
  }

  get volume() {
    return this.nv.volumes[0];
  }

  get shape() {
    return [...this.volume.dimsRAS.slice(1, 4)];
  }

  /** mm between voxel centres along the three axes. */
  get spacing() {
    return [...this.volume.pixDimsRAS.slice(1, 4)];
  }

  /** Where in the file's order the voxel (0, 0, 0) lies, and how far it is to the next ones. */
  get strides() {
    const { img2RASstart, img2RASstep } = this.volume;
    return { start: img2RASstart.reduce((sum, each) => sum + each), step: [...img2RASstep] };
  }

  arrange() {
    const { clientWidth: width, clientHeight: height } = this.canvas.parentElement;
    if (!width || !height) return;
    const others = [0, 1, 2].filter((plane) => plane !== this.main);
    const [dx, dy] = [GAP / width, GAP / height];
    const part = 0.62;
    const rest = 1 - part;
    const places = width >= height
      ? [[0, 0, part - dx, 1], [part, 0, rest, 0.5 - dy], [part, 0.5, rest, 0.5]]
      : [[0, 0, 1, part - dy], [0, part, 0.5 - dx, rest], [0.5, part, 0.5, rest]];
    this.areas = [];
    const layout = [this.main, ...others].map((plane, number) => {
      const [left, top, w, h] = places[number];
      this.areas[plane] = [left * width, top * height, w * width, h * height];
      return { sliceType: plane, position: places[number] };
    });
    this.nv.setCustomLayout(layout);
    this.nv.resizeListener();
    this.onDraw();
  }

  draw() {
    this.nv.drawScene();
    this.onDraw();
  }

  enlarge(plane) {
    this.main = plane;
    this.arrange();
  }

  // places

  fracOf(mm) {
    return [...this.nv.mm2frac(mm, 0, true)];
  }

  voxelOf(mm) {
    return this.fracOf(mm).map((frac, axis) => frac * this.shape[axis] - 0.5);
  }

  mmOf(voxel) {
    const frac = voxel.map((index, axis) => (index + 0.5) / this.shape[axis]);
    return [...this.nv.frac2mm(frac, 0, true)].slice(0, 3).map(rounded);
  }

  contains(mm) {
    return this.fracOf(mm).every((frac) => frac >= 0 && frac <= 1);
  }

  get cross() {
    return [...this.nv.frac2mm(this.nv.scene.crosshairPos, 0, true)].slice(0, 3).map(rounded);
  }

  set cross(mm) {
    this.nv.scene.crosshairPos = this.fracOf(mm).map((frac) => Math.min(1, Math.max(0, frac)));
  }

  goTo(mm) {
    this.cross = mm;
    this.draw();
  }

  /** The slice that a plane shows: number from 0, and of how many. */
  slice(plane) {
    const across = AXES[plane][2];
    const count = this.shape[across];
    const frac = this.nv.scene.crosshairPos[across];
    return { index: Math.min(count - 1, Math.floor(frac * count)), count };
  }

  /** Move the crosshair by whole voxels along an axis of RAS, onto their centres there. */
  step(axis, voxels) {
    const place = this.voxelOf(this.cross);
    const last = this.shape[axis] - 1;
    place[axis] = Math.min(last, Math.max(0, Math.round(place[axis]) + voxels));
    this.goTo(this.mmOf(place));
  }

  planeAt(x, y) {
    const inside = ([left, top, w, h]) => x >= left && x < left + w && y >= top && y < top + h;
    const plane = (this.areas ?? []).findIndex(inside);
    return plane < 0 ? null : plane;
  }

  /** The place in the scan below a pixel of the canvas; null outside of it. */
  mmAt(x, y) {
    if (!this.isOpen) return null;
    const ratio = this.nv.uiData.dpr || 1;
    const frac = this.nv.canvasPos2frac([x * ratio, y * ratio]);
    if (frac[0] < 0) return null;
    return [...this.nv.frac2mm(frac, 0, true)].slice(0, 3).map(rounded);
  }

  tile(plane) {
    return this.nv.screenSlices.find((each) => each.axCorSag === plane);
  }

  /** [a, b, c, d, e, f] of an SVG matrix: from voxel edges in a plane (0 to shape) to pixels. */
  matrix(plane) {
    const tile = this.tile(plane);
    const [u, v] = AXES[plane];
    const frac = [0, 0, 0];
    const zero = this.#pixel(tile, plane, frac);
    frac[u] = 1;
    const right = this.#pixel(tile, plane, frac);
    frac[u] = 0;
    frac[v] = 1;
    const up = this.#pixel(tile, plane, frac);
    const [nu, nv] = [this.shape[u], this.shape[v]];
    return [
      (right[0] - zero[0]) / nu, (right[1] - zero[1]) / nu,
      (up[0] - zero[0]) / nv, (up[1] - zero[1]) / nv, zero[0], zero[1],
    ];
  }

  #pixel(tile, plane, frac) {
    const ratio = this.nv.uiData.dpr || 1;
    const mm = this.nv.frac2mm(frac);
    const [u, v] = AXES[plane];
    const [left, top, width, height] = tile.leftTopWidthHeight;
    const x = (mm[u] - tile.leftTopMM[0]) / tile.fovMM[0];
    const y = (mm[v] - tile.leftTopMM[1]) / tile.fovMM[1];
    return [(left + x * width) / ratio, (top + (1 - y) * height) / ratio];
  }

  /** Where a place is drawn in a plane, and how many slices away from the one shown. */
  pixelOf(mm, plane) {
    const frac = this.fracOf(mm);
    const [x, y] = this.#pixel(this.tile(plane), plane, frac);
    const across = AXES[plane][2];
    const away = (frac[across] - this.nv.scene.crosshairPos[across]) * this.shape[across];
    return { x, y, away: Math.abs(away) };
  }

  // looks

  /** The lowest and the highest value of the scan; NiiVue's own leave out what is rare. */
  get range() {
    const { img, hdr } = this.volume;
    let [low, high] = [Infinity, -Infinity];
    for (const value of img) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    const slope = hdr.scl_slope || 1;
    return [low * slope + (hdr.scl_inter || 0), high * slope + (hdr.scl_inter || 0)];
  }

  get window() {
    return [this.volume.cal_min, this.volume.cal_max];
  }

  set window([low, high]) {
    const wanted = [low, Math.max(high, low + 1e-6)];
    if (String(wanted) === String(this.window)) return; // all voxels would be gone through again
    [this.volume.cal_min, this.volume.cal_max] = wanted;
    this.nv.updateGLVolume();
    this.onDraw();
  }

  set smooth(yes) {
    this.nv.setInterpolation(!yes);
    this.onDraw();
  }

  resetZoom() {
    this.nv.scene.pan2Dxyzmm = [0, 0, 0, 1];
    if (this.isOpen) this.draw();
  }

  /** Zoom, keeping what lies at the crosshair where it is. */
  zoom(factor) {
    const pan = this.nv.scene.pan2Dxyzmm;
    const zoom = Math.min(12, Math.max(0.5, pan[3] * factor));
    const mm = this.nv.frac2mm(this.nv.scene.crosshairPos);
    this.nv.scene.pan2Dxyzmm = [...zoomed(pan, mm, zoom), zoom];
    this.draw();
  }

  /** Move what a plane shows by pixels. */
  pan(plane, dx, dy) {
    const [a, , , d] = this.matrix(plane);
    const [u, v] = AXES[plane];
    const pan = [...this.nv.scene.pan2Dxyzmm];
    pan[u] += (dx / a) * this.spacing[u] * pan[3];
    pan[v] += (dy / d) * this.spacing[v] * pan[3];
    this.nv.scene.pan2Dxyzmm = pan;
    this.draw();
  }
}

// the range shown along an axis is (edge - pan) / zoom: mm stays where it is in it
function zoomed(pan, mm, zoom) {
  const [x, y, z] = [0, 1, 2].map((axis) => pan[axis] + mm[axis] * (pan[3] - zoom));
  return [x, y, z];
}

// a thousandth of a millimetre: what is shown, sent and saved is then the same number
function rounded(mm) {
  return Math.round(mm * 1000) / 1000;
}
