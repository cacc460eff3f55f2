"""Small pictures show what is there: held against the voxels of the stored file, in world mm."""

import io

import numpy as np
import pytest
from PIL import Image

from interactivenet.imaging.geometry import Geometry
from interactivenet.inference.object_records import object_boxes
from interactivenet.plotting import thumbnails
from interactivenet.plotting.lettering import folded, lettered
from interactivenet.plotting.object_views import PANEL, PicturedObject, frame
from interactivenet.plotting.planes import PLANES
from interactivenet.plotting.thumbnails import (
    NEGATIVE,
    OTHER,
    OUTLINE,
    POINT,
    POSITIVE,
    ROW,
    WIDTH,
    draw_case,
    draw_panel,
)
from tests.sample_cases import ellipsoid, stored_grid

GRIDS = {
    "plain": stored_grid((30, 26, 22), (1.0, 1.0, 1.0)),
    "flipped": stored_grid((30, 26, 22), (1.0, 1.0, 1.0), flips=(-1, -1, 1)),
    "permuted": stored_grid((30, 26, 22), (0.7, 1.3, 2.9), order=(1, 2, 0), flips=(-1, 1, -1)),
    "slices": stored_grid((40, 44, 9), (0.5, 0.5, 6.5), order=(2, 0, 1), flips=(1, -1, -1)),
    "fine": stored_grid((200, 150, 30), (0.4, 0.5, 4.0), flips=(-1, 1, 1)),
}
OBLIQUE = stored_grid(
    (30, 26, 22), (0.9, 1.1, 2.3), order=(2, 1, 0), flips=(1, -1, 1), angles=(0.2, -0.1, 0.3)
)
#: world axis (R, A, S) that runs to the left and upwards in each plane
LEFT_UP = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}


def lopsided(shape):
    """An object without any symmetry: none of its mirror images is the same."""
    mask = ellipsoid(shape, np.array(shape) * 0.45, np.array(shape) * 0.22)
    x, y, z = (int(n * 0.45) for n in shape)
    mask[x : x + int(shape[0] * 0.3), y, z] = True
    mask[x, y : y + int(shape[1] * 0.25), z] = True
    mask[x, y, z : z + max(2, int(shape[2] * 0.3))] = True
    return mask


def stored_map(grid):
    """A mask as the file has it, and the same along RAS+."""
    stored = np.ascontiguousarray(grid.from_ras(lopsided(grid.ras.shape)).astype(np.int16))
    return stored, grid.to_ras(stored)


def world_of_pixels(plane, view, centre, grid):
    """World (row, column, 3) of pixels: the patient's right, or front, to the left, head up."""
    left, up = LEFT_UP[plane]
    origin = grid.ras.voxel_to_world(np.zeros((1, 3)))[0]
    places = origin + np.broadcast_to(centre * view.spacing, (PANEL, PANEL, 3)).copy()
    steps = (np.arange(PANEL) + 0.5) / PANEL - 0.5
    places[..., left] = origin[left] + view.middle[left] - steps[None, :] * view.side
    places[..., up] = origin[up] + view.middle[up] - steps[:, None] * view.side
    return places


def panels(grid, ras, pictured, image=None):
    image = np.zeros(ras.shape, np.float32) if image is None else image
    view, centre, window = frame(pictured, image, grid.ras.spacing, ras)
    for plane in PLANES:
        yield plane, view, centre, draw_panel(plane, view, centre, window, image, ras, pictured)


@pytest.mark.parametrize("name", [*GRIDS, "oblique"])
def test_outlines_lie_on_the_border_of_the_stored_mask(name):
    """Of every pixel the voxel of the file is looked up by the file's own affine."""
    grid = GRIDS.get(name, OBLIQUE)
    stored, ras = stored_map(grid)
    (box,) = object_boxes(ras, 1)
    to_voxel = np.linalg.inv(grid.affine)
    for plane, view, centre, panel in panels(grid, ras, PicturedObject(1, box, "")):
        places = world_of_pixels(plane, view, centre, grid)
        if name == "oblique":  # the planes are those of the grid, turned with it
            turned = grid.ras.affine[:3, :3] / grid.ras.spacing
            places = (places - grid.ras.affine[:3, 3]) @ turned.T + grid.ras.affine[:3, 3]
        voxels = np.rint(places @ to_voxel[:3, :3].T + to_voxel[:3, 3]).astype(int)
        within = ((voxels >= 0) & (voxels < stored.shape)).all(axis=-1)
        inside = np.zeros((PANEL, PANEL), bool)
        inside[within] = stored[tuple(voxels[within].T)] == 1
        if name == "fine":  # pixels are larger than voxels: they may hold the centre of one
            inside |= holding_voxels(plane, view, centre, grid, stored)
        beside = np.pad(inside, 1)
        surrounded = beside[:-2, 1:-1] & beside[2:, 1:-1] & beside[1:-1, :-2] & beside[1:-1, 2:]
        assert (panel == OUTLINE).sum() > 20
        np.testing.assert_array_equal(panel == OUTLINE, inside & ~surrounded, err_msg=plane)


def holding_voxels(plane, view, centre, grid, stored):
    """Pixels that hold the centre of a voxel of the mask, on this plane."""
    left, up = LEFT_UP[plane]
    (across,) = {0, 1, 2} - {left, up}
    world = grid.voxel_to_world(np.argwhere(stored)) - grid.ras.affine[:3, 3]
    world = world[np.abs(world[:, across] / view.spacing[across] - centre[across]) < 0.1]
    columns = (
        PANEL
        - 1
        - np.floor(((world[:, left] - view.middle[left]) / view.side + 0.5) * PANEL).astype(int)
    )
    rows = (
        PANEL
        - 1
        - np.floor(((world[:, up] - view.middle[up]) / view.side + 0.5) * PANEL).astype(int)
    )
    held = np.zeros((PANEL, PANEL), bool)
    held[rows, columns] = True
    return held


@pytest.mark.parametrize("name", GRIDS)
def test_the_patients_right_is_left_and_says_so(name):
    """Something bright on one side of the patient is beside the letter of that side."""
    grid = GRIDS[name]
    stored, ras = stored_map(grid)
    (box,) = object_boxes(ras, 1)
    sides = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
    centre = grid.voxel_to_world(np.argwhere(stored)).mean(axis=0)
    indices = np.argwhere(np.ones(stored.shape))
    world = grid.voxel_to_world(indices)
    shown = {"axial": "RLPA", "coronal": "RLIS", "sagittal": "APIS"}
    for letter, (axis, sign) in sides.items():
        bright = np.zeros(stored.shape, np.float32)
        bright[tuple(indices[(world[:, axis] - centre[axis]) * sign > 0].T)] = 100.0
        image = grid.to_ras(bright)
        for plane, _, _, panel in panels(grid, ras, PicturedObject(1, box, ""), image):
            if letter not in shown[plane]:
                continue
            grey = np.where(panel < OUTLINE, panel, 0)
            edge = shown[plane].index(letter)
            half = [grey[:, : PANEL // 2], grey[:, PANEL // 2 :], grey[PANEL // 2 :],
                    grey[: PANEL // 2]]  # fmt: skip
            opposite = half[[1, 0, 3, 2][edge]]
            assert half[edge].mean() > 3 * opposite.mean(), (plane, letter)
            strokes = lettered(letter, thumbnails._LETTER) > 110
            row, column = thumbnails._LETTERED[edge]
            at = panel[row : row + len(strokes), column : column + strokes.shape[1]]
            assert (at[strokes[: len(at)]] == thumbnails._WHITE).all(), (plane, letter)


@pytest.mark.parametrize("name", ["plain", "permuted", "slices"])
def test_points_and_corrections_lie_where_they_are(name):
    grid = GRIDS[name]
    _, ras = stored_map(grid)
    (box,) = object_boxes(ras, 1)
    inside = np.argwhere(ras == 1).astype(float)
    plain = PicturedObject(1, box, "")
    _, centre, _ = frame(plain, np.zeros(ras.shape), grid.ras.spacing, ras)
    for kind, colour in (("points", POINT), ("positive", POSITIVE), ("negative", NEGATIVE)):
        voxel = inside[np.abs(inside - centre).sum(axis=1).argsort()[min(20, len(inside) - 1)]]
        marked = PicturedObject(1, box, "", **{kind: voxel[None]})
        for plane, view, middle, panel in panels(grid, ras, marked):
            rows, columns = np.nonzero(panel == colour)
            at = world_of_pixels(plane, view, middle, grid)[
                round(rows.mean()), round(columns.mean())
            ]
            expected = grid.ras.voxel_to_world(voxel[None])[0]
            for axis in LEFT_UP[plane]:
                assert abs(at[axis] - expected[axis]) <= 1.01 * view.side / PANEL, (plane, kind)


def test_millimetres_have_one_scale():
    """A ball in mm is round in each plane, whatever the voxels are."""
    grid = Geometry((60, 40, 15), np.diag([0.5, 0.75, 2.0, 1.0]))
    ball = ellipsoid(grid.shape, (30, 20, 7), 10 / np.array(grid.spacing)).astype(np.int16)
    (box,) = object_boxes(ball, 1)
    for _, view, _, panel in panels(grid, ball, PicturedObject(1, box, "")):
        rows, columns = np.nonzero(panel == OUTLINE)
        for extent in (np.ptp(rows) + 1, np.ptp(columns) + 1):
            assert abs(extent * view.side / PANEL - 20) <= 2.5


def test_a_thin_object_is_outlined_though_pixels_pass_voxels_over():
    mask = np.zeros((400, 400, 4), np.int16)
    mask[np.arange(400), np.arange(400), 2] = 1
    mask[50:300, 123, 2] = 2
    grid = Geometry(mask.shape, np.diag([1.0, 1.0, 3.0, 1.0]))
    boxes = object_boxes(mask, 2)
    for number in (1, 2):
        *_, panel = next(iter(panels(grid, mask, PicturedObject(number, boxes[number - 1], ""))))
        rows, columns = np.nonzero(panel == OUTLINE)
        assert max(len({*rows}), len({*columns})) >= 0.6 * PANEL
        assert (panel == OTHER).any()


def pictured(count, review=()):
    return [
        PicturedObject(number, None, f"part {number}", number in review)
        for number in range(1, count + 1)
    ]


def test_a_picture_is_small_and_the_same_each_time():
    rng = np.random.default_rng(0)
    image = rng.normal(0, 100, (1, 40, 40, 40)).astype(np.float32)
    mask = ellipsoid((40, 40, 40), (20, 20, 20), (8, 9, 10)).astype(np.int16)
    (box,) = object_boxes(mask, 1)
    objects = [PicturedObject(1, box, "tumour, 3.02 ml", True)]
    first = draw_case("case", image, (1.0, 1.0, 1.0), mask, objects)
    assert first == draw_case("case", image, (1.0, 1.0, 1.0), mask, objects)
    assert len(first) < 60_000
    with Image.open(io.BytesIO(first)) as picture:
        assert picture.mode == "P" and picture.width == WIDTH
        assert {*picture.info} == {"Head"}  # nothing of dates, programs or patients


def height(data):
    with Image.open(io.BytesIO(data)) as picture:
        return picture.height, int(picture.info["Head"])


def test_a_row_for_each_object_and_channel_and_the_rest_is_counted(monkeypatch):
    said, image, mask = [], np.zeros((2, 8, 8, 8), np.float32), np.zeros((8, 8, 8), np.int16)
    line = thumbnails._line
    monkeypatch.setattr(
        thumbnails, "_line", lambda text, size: (said.append(text), line(text, size))[1]
    )
    for objects, channels, rows in ((1, 1, 1), (1, 2, 2), (3, 2, 6), (4, 2, 4), (9, 1, 6)):
        said.clear()
        data = draw_case("c", image[:channels], (1.0,) * 3, mask, pictured(objects, {8, 9}))
        total, head = height(data)
        assert (total - head) // ROW == rows
        told = ["3 more objects not shown"] * (objects == 9)
        told += ["image 1 of 2 is shown"] * (objects == 4)
        assert [text for text in said if "show" in text] == told
    assert [text for text in said if text.startswith("part")] == [
        f"part {number}" for number in (1, 2, 3, 4, 8, 9)
    ]


def test_nothing_found_is_shown_where_its_points_are():
    image = np.zeros((1, 20, 20, 20), np.float32)
    mask = np.zeros((20, 20, 20), np.int16)
    empty = PicturedObject(
        1, None, "part, 0 ml", points=np.array([[3.0, 4.0, 5.0], [5.0, 6.0, 5.0]])
    )
    for _, _, centre, panel in panels(Geometry((20, 20, 20), np.eye(4)), mask, empty):
        assert list(centre) == [4, 5, 5]
        assert (panel == POINT).any() and not (panel == OUTLINE).any()
    assert height(draw_case("c", image, (1.0,) * 3, mask, [PicturedObject(1, None, "")]))[0] > ROW
    assert height(draw_case("c", image, (1.0,) * 3, mask, []))[0] < ROW


def test_values_that_are_no_numbers_are_black():
    image = np.full((1, 9, 9, 9), np.nan, np.float32)
    mask = np.zeros((9, 9, 9), np.int16)
    mask[3:6, 3:6, 3:6] = 1
    of_it = PicturedObject(1, (slice(3, 6),) * 3, "")
    assert height(draw_case("c", image, (1.0,) * 3, mask, [of_it]))[0] > ROW


def test_long_names_are_folded_and_none_is_wider_than_the_picture():
    name = "P2_1.2.826.0.1.3680043.8.498.45717843654492831254027986278534304491"
    lines = folded(name, 14, WIDTH, 3)
    assert "".join(lines) == name and len(lines) == 2
    assert all(lettered(line, 14).shape[1] <= WIDTH for line in lines)
    assert folded("x" * 400, 14, WIDTH, 2)[-1].endswith("x...")
