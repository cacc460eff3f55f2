// Label maps: read from a NIfTI file's bytes, drawn on by a brush, and written again.

const HEADER = 352;

/** Uncompress bytes where they are gzip's. */
async function unpacked(buffer) {
  const start = new Uint8Array(buffer, 0, 2);
  if (start[0] !== 0x1f || start[1] !== 0x8b) return buffer;
  const stream = new Blob([buffer]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

export class LabelMap {
  /** data: Uint8Array in the file's order; strides: of the voxels along RAS+, in that order. */
  constructor(header, data, strides, shape) {
    Object.assign(this, { header, data, strides, shape });
    this.boxes = boxesOf(data, strides, shape);
  }

  static async read(buffer, strides, shape) {
    const bytes = await unpacked(buffer);
    const view = new DataView(bytes);
    const little = view.getInt32(0, true) === 348;
    const type = view.getInt16(70, little);
    const offset = view.getFloat32(108, little);
    const count = shape[0] * shape[1] * shape[2];
    if (type !== 2 || bytes.byteLength < offset + count) { // bytes: fewer than 256 objects
      throw new Error("The outline that the server sent cannot be read.");
    }
    const data = new Uint8Array(bytes, offset, count);
    return new LabelMap(new Uint8Array(bytes.slice(0, HEADER)), data, strides, shape);
  }

  index(i, j, k) {
    const { start, step } = this.strides;
    return start + i * step[0] + j * step[1] + k * step[2];
  }

  maskOf(value) {
    return Uint8Array.from(this.data, (each) => Number(each === value));
  }

  /** A copy in which places of a slice near a stroke (radius: mm) are an object's, or no longer. */
  painted(value, stroke, { axes, slice, radius, spacing, erase }) {
    const data = this.data.slice();
    const [u, v, across] = axes;
    const reach = [u, v].map((axis) => radius / spacing[axis]);
    for (const place of denser(stroke, Math.min(...reach) / 2)) {
      const low = [u, v].map((axis, n) => Math.max(0, Math.ceil(place[axis] - reach[n])));
      const high = [u, v].map((axis, n) =>
        Math.min(this.shape[axis] - 1, Math.floor(place[axis] + reach[n])));
      const voxel = [0, 0, 0];
      voxel[across] = slice;
      for (voxel[u] = low[0]; voxel[u] <= high[0]; voxel[u]++) {
        for (voxel[v] = low[1]; voxel[v] <= high[1]; voxel[v]++) {
          const du = (voxel[u] - place[u]) / reach[0];
          const dv = (voxel[v] - place[v]) / reach[1];
          if (du * du + dv * dv > 1) continue;
          const index = this.index(...voxel);
          if (!erase) data[index] = value;
          else if (data[index] === value) data[index] = 0;
        }
      }
    }
    return new LabelMap(this.header, data, this.strides, this.shape);
  }

  /** A mask of 0 and 1 as a NIfTI file on this map's grid. */
  file(mask) {
    const bytes = new Uint8Array(HEADER + mask.length);
    bytes.set(this.header);
    bytes.set(mask, HEADER);
    const view = new DataView(bytes.buffer);
    const little = view.getInt32(0, true) === 348;
    view.setInt16(70, 2, little);
    view.setInt16(72, 8, little);
    view.setFloat32(108, HEADER, little);
    view.setFloat32(112, 1, little);
    view.setFloat32(116, 0, little);
    return bytes;
  }
}

// the voxels' box of each value: [[low, high] of each axis], so that far slices cost nothing
function boxesOf(data, { start, step }, shape) {
  const boxes = new Map();
  for (let k = 0; k < shape[2]; k++) {
    for (let j = 0; j < shape[1]; j++) {
      let index = start + j * step[1] + k * step[2];
      for (let i = 0; i < shape[0]; i++, index += step[0]) {
        const value = data[index];
        if (!value) continue;
        let box = boxes.get(value);
        if (!box) boxes.set(value, (box = [[i, i], [j, j], [k, k]]));
        if (i < box[0][0]) box[0][0] = i;
        if (i > box[0][1]) box[0][1] = i;
        if (j < box[1][0]) box[1][0] = j;
        if (j > box[1][1]) box[1][1] = j;
        if (k > box[2][1]) box[2][1] = k;
      }
    }
  }
  return boxes;
}

// places along a stroke that are at most `most` voxels apart
function denser(stroke, most) {
  const places = [stroke[0]];
  for (let n = 1; n < stroke.length; n++) {
    const [from, to] = [stroke[n - 1], stroke[n]];
    const far = Math.hypot(...to.map((each, axis) => each - from[axis]));
    const parts = Math.max(1, Math.ceil(far / Math.max(most, 0.25)));
    for (let part = 1; part <= parts; part++) {
      places.push(from.map((each, axis) => each + ((to[axis] - each) * part) / parts));
    }
  }
  return places;
}

/** Lengths of the runs of 0, 1, 0 ... in a mask: small enough to be kept for undo. */
export function runs(mask) {
  const lengths = [];
  let value = 0;
  let length = 0;
  for (const each of mask) {
    if (each !== value) {
      lengths.push(length);
      length = 0;
      value = each;
    }
    length++;
  }
  lengths.push(length);
  return lengths;
}

export function maskOfRuns(lengths, size) {
  const mask = new Uint8Array(size);
  let at = 0;
  lengths.forEach((length, number) => {
    if (number % 2) mask.fill(1, at, at + length);
    at += length;
  });
  return mask;
}
