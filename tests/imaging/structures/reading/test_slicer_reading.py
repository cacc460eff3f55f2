"""Segmentations that 3D Slicer has saved, read as label maps."""

import nrrd
import numpy as np
import pytest

from interactivenet.errors import DataError
from interactivenet.imaging.io import read_label

SHAPE = (6, 5, 4)
NAMES = {1: "tumour", 2: "Oedema"}


def block(*spans):
    mask = np.zeros(SHAPE, bool)
    mask[tuple(slice(*span) for span in spans)] = True
    return mask


TUMOUR, OEDEMA = block((1, 3), (1, 3), (1, 3)), block((3, 5), (1, 3), (1, 3))


def save(path, layers, segments, **extra):
    """Write a file as Slicer does: segments are (name, layer, value)."""
    array = np.asarray(layers)
    flat = array.ndim == 3
    header = {
        "space": "left-posterior-superior",
        "kinds": ["domain"] * 3 if flat else ["list", *["domain"] * 3],
        "space directions": np.diag([1.0, 1.5, 2.0]) if flat
        else np.vstack([np.full(3, np.nan), np.diag([1.0, 1.5, 2.0])]),
        "space origin": np.array([5.0, 6.0, 7.0]),
        "encoding": "gzip",
    }  # fmt: skip
    for number, (name, layer, value) in enumerate(segments):
        header[f"Segment{number}_Name"] = name
        header[f"Segment{number}_ID"] = f"Segment_{number + 1}"
        if layer is not None:
            header[f"Segment{number}_Layer"] = str(layer)
            header[f"Segment{number}_LabelValue"] = str(value)
            header[f"Segment{number}_Extent"] = "0 5 0 4 0 3"
    nrrd.write(str(path), array, {**header, **extra})
    return path


def stored(label):
    return label.source.from_ras(label.array[0])


def test_names_count_where_they_are_known_not_slicers_own_values(tmp_path):
    path = save(
        tmp_path / "a.seg.nrrd", TUMOUR * np.uint8(2) + OEDEMA, [("oedema", 0, 1), ("TUMOUR", 0, 2)]
    )
    label = read_label(path, names=NAMES)
    np.testing.assert_array_equal(stored(label), TUMOUR + 2 * OEDEMA)
    assert label.notes == () and label.spacing == (1, 1.5, 2)
    np.testing.assert_array_equal(stored(read_label(path)), 2 * TUMOUR + OEDEMA)


@pytest.mark.parametrize("name", ["segmentation.nrrd", "segmentation.SEG.NRRD"])
def test_the_header_makes_it_a_segmentation_whatever_its_name(tmp_path, name):
    path = save(tmp_path / name, TUMOUR.astype(np.uint8), [("oedema", 0, 1)])
    np.testing.assert_array_equal(stored(read_label(path, names=NAMES)), 2 * TUMOUR)


def test_segments_in_layers_of_their_own(tmp_path):
    layers = np.stack([TUMOUR, OEDEMA]).astype(np.uint8)
    path = save(tmp_path / "a.seg.nrrd", layers, [("Oedema", 1, 1), ("tumour", 0, 1)])
    np.testing.assert_array_equal(stored(read_label(path, names=NAMES)), TUMOUR + 2 * OEDEMA)
    unnamed = read_label(path)
    np.testing.assert_array_equal(stored(unnamed), 2 * TUMOUR + OEDEMA)
    assert "they are numbered, 1=Oedema, 2=tumour" in unnamed.notes[0]


def test_files_of_old_versions_have_a_layer_for_each_segment(tmp_path):
    layers = np.stack([TUMOUR, OEDEMA]).astype(np.uint8)
    path = save(tmp_path / "a.seg.nrrd", layers, [("tumour", None, 0), ("oedema", None, 0)])
    np.testing.assert_array_equal(stored(read_label(path, names=NAMES)), TUMOUR + 2 * OEDEMA)


def test_of_segments_that_overlap_the_last_one_lies_above_and_that_is_said(tmp_path):
    wide = block((1, 5), (1, 3), (1, 3))
    layers = np.stack([wide, TUMOUR]).astype(np.uint8)
    path = save(tmp_path / "a.seg.nrrd", layers, [("oedema", 0, 1), ("tumour", 1, 1)])
    label = read_label(path, names=NAMES)
    np.testing.assert_array_equal(stored(label), TUMOUR + 2 * (wide & ~TUMOUR))
    assert "8 voxels of segment 'tumour' are in others, too" in label.notes[0]
    assert "read as 1=tumour" in label.notes[0]
    hidden = save(tmp_path / "b.seg.nrrd", layers, [("tumour", 1, 1), ("oedema", 0, 1)])
    with pytest.raises(DataError, match="nothing left of segment 'tumour'"):
        read_label(hidden, names=NAMES)


@pytest.mark.parametrize("name", ["Segment_1", "Segment 2", "label", "3", ""])
def test_a_name_that_says_nothing_leaves_the_value(tmp_path, name):
    path = save(tmp_path / "a.seg.nrrd", TUMOUR.astype(np.uint8) * 2, [(name, 0, 2)])
    label = read_label(path, names=NAMES)
    np.testing.assert_array_equal(stored(label), 2 * TUMOUR)
    assert f"its segment '{name}' has the name of no label: it is taken as 2=" in label.notes[0]


def test_a_name_of_no_label_is_taken_by_its_value_and_that_is_said(tmp_path):
    path = save(tmp_path / "a.seg.nrrd", TUMOUR.astype(np.uint8), [("Lesion", 0, 1)])
    path.write_bytes(path.read_bytes().replace(b"Lesion", "Läsion".encode()))  # as Slicer would
    label = read_label(path, names={1: "tumour"})
    np.testing.assert_array_equal(stored(label), TUMOUR)
    assert label.notes == (
        "its segment 'Läsion' has the name of no label: it is taken as 1=tumour by its value",
    )


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        # by its name one, by its value the other
        ([("tumour", 0, 2), ("Segment_1", 0, 1)], "two segments for the label 1=tumour"),
        ([("tumour", 0, 1), ("Tumour", 0, 2)], "two segments for the label 1=tumour"),
        # names count in this file, and this one is no label's
        ([("tumour", 0, 1), ("liver", 0, 2)], "a segment 'liver' .value 2., expected one of"),
        ([("liver", 0, 1), ("bone", 0, 2)], "a segment 'bone' .value 2., expected one of"),
        ([("tumour", 0, 1)], "8 voxels of values that its header lists no segment for"),
        ([("tumour", 0, 1), ("Segment_2", 3, 2)], "'Segment_2' in layer 3 of 1"),
        ([("tumour", 0, "one")], "no number"),
    ],
)
def test_a_contradiction_is_refused(tmp_path, segments, message):
    array = TUMOUR + OEDEMA * np.uint8(2)
    path = save(tmp_path / "a.seg.nrrd", array, segments)
    names = {1: "tumour"} if segments[0][0] == "liver" else NAMES
    with pytest.raises(DataError, match=message) as caught:
        read_label(path, names=names)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_segmentation_without_segments_voxels_is_refused(tmp_path):
    path = tmp_path / "a.seg.nrrd"
    nrrd.write(
        str(path),
        np.zeros((1, 1, 1), np.uint8),
        {"space": "left-posterior-superior", "space directions": np.eye(3),
         "space origin": np.zeros(3), "Segment0_Name": "tumour"},
    )  # fmt: skip
    with pytest.raises(DataError, match="without voxels"):
        read_label(path, names=NAMES)


def test_real_segmentation_is_read_by_its_names(shared_cases):
    path = shared_cases("b10_slicer_segmentations/Segmentation.seg.nrrd")
    array, header = nrrd.read(str(path))
    names = [header[f"Segment{number}_Name"] for number in range(7)]
    label = read_label(path, names=dict(enumerate(reversed(names), 1)))
    assert label.notes == ()
    for value, name in enumerate(reversed(names), 1):
        number = int(header[f"Segment{names.index(name)}_LabelValue"])
        np.testing.assert_array_equal(stored(label) == value, array == number)
    with pytest.raises(DataError, match=r"a segment 'tissue' \(value 7\)"):
        read_label(path, names=dict(enumerate(names[:-1], 1)))
