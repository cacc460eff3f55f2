// Outlines of a label map's objects in one slice, as closed paths.

/**
 * The path (SVG's `d`) around an object's voxels in a slice of a plane, in voxel edges: 0 is the
 * first voxel's outer edge. It runs through the middles of the voxels' faces, as marching squares
 * do, so that its inside can be filled. '' where the object is not in the slice.
 */
export function contour(map, value, axes, slice) {
  const box = map.boxes.get(value);
  const [u, v, across] = axes;
  if (!box || slice < box[across][0] || slice > box[across][1]) return "";
  const [[u0, u1], [v0, v1]] = [box[u], box[v]];
  const [width, height] = [u1 - u0 + 3, v1 - v0 + 3];
  // the slice's part with a margin of one voxel, so that no neighbour has to be asked for
  const inside = new Uint8Array(width * height);
  const { step } = map.strides;
  const voxel = [0, 0, 0];
  voxel[across] = slice;
  voxel[u] = u0;
  voxel[v] = v0;
  const first = map.index(...voxel);
  for (let b = 0; b <= v1 - v0; b++) {
    for (let a = 0; a <= u1 - u0; a++) {
      const found = map.data[first + a * step[u] + b * step[v]] === value;
      if (found) inside[(b + 1) * width + a + 1] = 1;
    }
  }
  return traced(inside, width, height, u0 - 1, v0 - 1);
}

// directions of an edge of a voxel, the object to its left: right, up, left, down
const STEPS = [[1, 0], [0, 1], [-1, 0], [0, -1]];

function traced(inside, width, height, left, bottom) {
  // leaving[corner]: bit d is set where an edge in direction d starts at the corner
  const leaving = new Uint8Array((width + 1) * (height + 1));
  const corner = (a, b) => b * (width + 1) + a;
  for (let b = 1; b < height - 1; b++) {
    for (let a = 1; a < width - 1; a++) {
      if (!inside[b * width + a]) continue;
      if (!inside[(b - 1) * width + a]) leaving[corner(a, b)] |= 1;
      if (!inside[b * width + a + 1]) leaving[corner(a + 1, b)] |= 2;
      if (!inside[(b + 1) * width + a]) leaving[corner(a + 1, b + 1)] |= 4;
      if (!inside[b * width + a - 1]) leaving[corner(a, b + 1)] |= 8;
    }
  }
  let path = "";
  for (let b = 1; b < height; b++) {
    for (let a = 1; a < width; a++) {
      while (leaving[corner(a, b)]) path += loop(leaving, corner, a, b, left, bottom);
    }
  }
  return path;
}

function loop(leaving, corner, a, b, left, bottom) {
  const start = corner(a, b);
  let direction = Math.log2(leaving[start] & -leaving[start]);
  const middles = [];
  do {
    const at = corner(a, b);
    // where two voxels touch at a corner, the sharper turn keeps them apart
    const order = [direction + 1, direction, direction + 3, direction + 2];
    direction = order.map((each) => each % 4).find((each) => leaving[at] & (1 << each));
    leaving[at] &= ~(1 << direction);
    const [da, db] = STEPS[direction];
    middles.push(`${left + a + da / 2} ${bottom + b + db / 2}`);
    a += da;
    b += db;
  } while (corner(a, b) !== start);
  return `M${middles.join("L")}Z`;
}
