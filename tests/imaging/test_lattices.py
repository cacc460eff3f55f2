"""Two grids: in what they differ, and label maps of another extent on one lattice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import (
    ReadOptions,
    read_image,
    read_label,
    write_label_array,
    write_volume,
)
from interactivenet.imaging.lattice import describe_difference
from tests.imaging.grids import AFFINES, every_grid, turned
from tests.imaging.two_forms import moved, save

SHAPE = (8, 7, 6)
PLAIN = np.diag([-1.0, -1.0, 2.0, 1.0])


def changed(affine, shape=SHAPE):
    return Geometry(shape, affine)


def rotated(degrees):
    affine = PLAIN.copy()
    affine[:3, :3] = turned(degrees, 0) @ PLAIN[:3, :3]
    return affine


def shifted(by):
    affine = PLAIN.copy()
    affine[:3, 3] = by
    return affine


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        (changed(rotated(10)), "directions differ by 10 degrees; corners lie up to 2.03 mm apart"),
        (changed(rotated(0.05)), "directions differ by 0.05 degrees; corners"),
        (changed(PLAIN @ np.diag([1.2, 1, 1, 1])), "spacing 1.2 against 1 mm along x; corners lie"
         " up to 1.4 mm apart"),
        (changed(shifted((0, 0, 12))), "it is shifted by (0, 0, 12) mm (RAS); corners lie up to 12"
         " mm apart"),
        (changed(PLAIN, (8, 7, 5)), "shape 8x7x5 against 8x7x6; corners lie up to 2 mm apart"),
        (changed(PLAIN @ np.diag([-1, 1, 1, 1])), "it is shifted by (7, 0, 0) mm (RAS); corners"),
        (changed(rotated(3) @ np.diag([1, 1, 1.5, 1])), "spacing 3 against 2 mm along z,"
         " directions differ by 3 degrees; corners"),
    ],
)  # fmt: skip
def test_a_difference_is_told_in_what(grid, said):
    assert describe_difference(grid, changed(PLAIN)).startswith(said)


def test_real_label_without_the_scans_obliquity(shared_cases):
    task = shared_cases("a10_label_without_the_scans_obliquity/Task510_OBLIQUE")
    image = task / "imagesTr/oblique_0000.nii.gz"
    with pytest.raises(DataError, match="grid differs: directions differ by 10 degrees; corners"):
        read_label(task / "labelsTr/oblique.nii.gz", image=(image, read_image(image).source))


def files(tmp_path, affine, start, stop, *, order=(0, 1, 2), suffix=".nii.gz"):
    """An image, and a part of its label map on its lattice; start and stop in its voxels."""
    image, path = tmp_path / "image.nii.gz", tmp_path / f"label{suffix}"
    grid = Geometry(SHAPE, affine)
    write_volume(image, np.zeros(grid.ras.shape, np.int16), grid)
    part = affine.copy()
    part[:3, 3] += affine[:3, :3] @ np.array(start)
    part[:3, :3] = part[:3, list(order)]
    shape = np.subtract(stop, start)[list(order)]
    part = Geometry(tuple(shape), part)
    label = np.random.default_rng(0).integers(0, 3, part.ras.shape).astype(np.uint8)
    write_label_array(path, label, part)
    return (image, read_image(image).source), path


@every_grid
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_a_label_map_cut_to_its_object_is_filled_up(tmp_path, affine, suffix):
    image, path = files(tmp_path, affine, (2, 1, 3), (7, 6, 5), order=(2, 0, 1), suffix=suffix)
    whole, part = read_label(path, image=image), read_label(path)
    assert whole.source is image[1]
    assert "the rest is read as background" in whole.notes[0]
    assert np.count_nonzero(whole.array) == np.count_nonzero(part.array) > 0
    places = part.voxel_to_world(np.argwhere(part.array[0]))
    found = whole.array[0][tuple(whole.grid.nearest_voxel(places).T)]
    np.testing.assert_array_equal(found, part.array[0][part.array[0] > 0])


@every_grid
def test_an_empty_margin_is_cut_off_and_labels_in_it_are_not(tmp_path, affine):
    image, path = files(tmp_path, affine, (-2, 0, 0), (8, 9, 6))
    label = read_label(path)
    with pytest.raises(DataError, match=r"labelled voxels outside of .*image\.nii\.gz"):
        read_label(path, image=image)
    inside = image[1].contains(label.voxel_to_world(np.argwhere(label.array[0] >= 0)))
    emptied = label.array[0] * inside.reshape(label.shape)
    write_label_array(path, emptied, label.source)
    whole = read_label(path, image=image)
    assert whole.shape == image[1].ras.shape
    assert np.count_nonzero(whole.array) == np.count_nonzero(emptied) > 0


def test_a_part_between_the_voxels_is_another_grid(tmp_path):
    affine = AFFINES["pir"]
    image, path = files(tmp_path, affine, (2.5, 1, 3), (7.5, 6, 5))
    with pytest.raises(DataError, match="grid differs: shape 5x5x2 against 8x7x6"):
        read_label(path, image=image)


def test_a_label_map_of_the_same_extent_elsewhere_is_no_part(tmp_path):
    """Moved by whole voxels, as after a change of the header: the same lattice, another place."""
    image, path = files(tmp_path, PLAIN, (1, 0, 0), (9, 7, 6))
    label = read_label(path)
    label.array[0][:2] = 0
    write_label_array(path, label.array[0], label.source)
    with pytest.raises(DataError, match=r"grid differs: it is shifted by \(-1, 0, 0\) mm"):
        read_label(path, image=image)


def test_a_part_of_an_image_with_two_places_needs_a_choice(tmp_path):
    """3D Slicer cuts by the one position, what reads the image here takes the other."""
    image = save(tmp_path / "a.nii", np.zeros(SHAPE, np.int16), qform=moved(2), codes=(2, 1))
    part = Geometry((3, 3, 3), moved(4))
    write_label_array(tmp_path / "b.nii", np.ones((3, 3, 3)), part)
    with pytest.raises(DataError, match=r"which part is not certain.*`use_form='qform'`"):
        read_label(tmp_path / "b.nii", image=(image, read_image(image).source))
    for form, first in (("sform", 4), ("qform", 2)):
        options = ReadOptions(use_form=form)
        grid = (image, read_image(image, options).source)
        label = read_label(tmp_path / "b.nii", options, image=grid).stored[0]
        assert np.argwhere(label)[0].tolist() == [first, 0, 0] and label.sum() == 27


def test_an_empty_part_far_away_is_an_empty_label(tmp_path):
    image, path = files(tmp_path, PLAIN, (100, 1, 3), (105, 6, 5))
    label = read_label(path)
    write_label_array(path, label.array[0] * 0, label.source)
    assert not read_label(path, image=image).array.any()


def test_real_label_map_that_slicer_cut(shared_cases):
    task = shared_cases("a09_slicer_segmentations/Task504_SLICER")
    image = task / "imagesTr/cropped_0000.nii.gz"
    label = read_label(task / "labelsTr/cropped.nrrd", image=(image, read_image(image).source))
    other = read_label(task / "labelsTr/whole.seg.nrrd")
    assert label.shape == (40, 40, 20) and label.array.any()
    assert label.source.is_same_lattice(other.source)


@given(st.tuples(*[st.floats(-40, 40)] * 3), st.sampled_from([0, 1, 2]))
def test_the_angle_is_that_of_the_turn(angles, axis):
    degrees = angles[axis]
    difference = describe_difference(Geometry(SHAPE, rotated(degrees)), Geometry(SHAPE, PLAIN))
    if abs(degrees) > 0.02:
        assert difference.startswith(f"directions differ by {abs(degrees):.3g} degrees")
