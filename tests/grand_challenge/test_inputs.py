"""Which file of /input is what, in the ways that grand-challenge.org has laid it out."""

import json
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from interactivenet.errors import DataError, RequestError
from interactivenet.grand_challenge.algorithm import run_algorithm
from interactivenet.grand_challenge.inputs import find_inputs
from interactivenet.grand_challenge.settings import AlgorithmSettings
from interactivenet.imaging.channels import read_channels
from interactivenet.imaging.io import read_image, read_label, write_volume
from interactivenet.prompts.io import read_prompts, write_prompts
from interactivenet.prompts.prompt import LabelNames, Prompt
from tests.random_model import make_bundle
from tests.sample_cases import make_plan, make_scan, stored_grid

GRID = stored_grid((22, 24, 20), (1.0, 1.2, 1.5))
FLAGS = ("is_image_kind", "is_panimg_kind", "is_dicom_image_kind", "is_json_kind", "is_file_kind")


def found(folder, modalities=("CT",), **settings):
    return find_inputs(folder, modalities, AlgorithmSettings(**settings))


def socket(slug, path, image, *, dicom=False, said="flags", kind=""):
    """An input as lists of several years describe it."""
    content = {"slug": slug, "relative_path": path}
    if said == "flags":
        content |= dict.fromkeys(FLAGS, False)
        content |= {"is_image_kind": image, "is_dicom_image_kind": dicom, "is_json_kind": not image}
    elif said == "super_kind":
        content |= {"super_kind": "Image" if image else "Value"}
    elif said == "kind":
        content |= {"kind": kind}
    return content


def lay_out(folder, said="flags", word="socket", **changed):
    """An image, and points listed as well as a JSON value that is none."""
    write_volume(folder / "images/ct-image/0a1b.mha", np.zeros(GRID.ras.shape, np.int16), GRID)
    (folder / "interior-margin-points.json").write_text(json.dumps({"points": []}))
    (folder / "age.json").write_text("61")
    ct = socket("ct-image", "images/ct-image", True, said=said, kind="Image") | changed
    points = socket("interior-margin-points", "interior-margin-points.json", False, said=said,
                    kind="Multiple points")  # fmt: skip
    age = socket("age", "age.json", False, said=said, kind="Integer")
    report = socket("report", "report.pdf", False, said=said, kind="PDF file")
    write_list(folder, [{word: content} for content in (ct, points, age, report)])
    return folder


def write_list(folder, content):
    (folder / "inputs.json").write_text(json.dumps(content))


@pytest.mark.parametrize("word", ["socket", "interface"])
@pytest.mark.parametrize("said", ["flags", "super_kind", "kind", "nothing"])
def test_what_is_an_image_is_told_in_many_ways(said, word, tmp_path):
    inputs = found(lay_out(tmp_path, said, word))
    assert inputs.images == (tmp_path / "images/ct-image/0a1b.mha",)
    assert inputs.points == tmp_path / "interior-margin-points.json"
    assert inputs.name == "0a1b"


def test_a_model_of_any_modality_takes_all_images(tmp_path):
    folder = lay_out(tmp_path)
    assert [path.name for path in found(folder, ("any",)).images] == ["0a1b.mha"]
    write_volume(folder / "images/a-mr/2c.mha", np.zeros(GRID.ras.shape, np.int16), GRID)
    mr = {"socket": socket("a-mr", "images/a-mr", True)}
    write_list(folder, [*json.loads((folder / "inputs.json").read_text()), mr])
    assert [path.name for path in found(folder, ("any",)).images] == ["2c.mha", "0a1b.mha"]
    named = found(folder, ("any",), images={"any": "ct-image"})
    assert [path.name for path in named.images] == ["0a1b.mha"]
    content = json.loads((folder / "inputs.json").read_text())
    write_list(folder, content[1:-1])
    with pytest.raises(RequestError, match="there is no image: expected one or more"):
        found(folder, ("any",))


def test_socket_and_interface_may_both_be_there(tmp_path):
    folder = lay_out(tmp_path)
    content = json.loads((folder / "inputs.json").read_text())
    write_list(folder, [entry | {"interface": entry["socket"]} for entry in content])
    assert found(folder).name == "0a1b"
    content[0]["interface"] = content[1]["socket"]
    write_list(folder, content)
    with pytest.raises(DataError, match=r"socket \(ct-image\) and interface \(interior-margin"):
        found(folder)


@pytest.mark.parametrize(
    "path",
    ["", None, 7, "/images/ct-image", "../ct-image", "images/../../x", "images//ct", "images/",
     ".hidden", "images/ct\x00image", "images\\ct", "x" * 300, "inputs.json"],
)  # fmt: skip
def test_a_relative_path_that_is_missing_or_odd_is_refused(path, tmp_path):
    folder = lay_out(tmp_path, relative_path=path)
    with pytest.raises(DataError, match=r"inputs\.json.*(relative_path|not an input's)"):
        found(folder)
    content = json.loads((folder / "inputs.json").read_text())
    del content[0]["socket"]["relative_path"]
    write_list(folder, content)
    with pytest.raises(DataError, match="not an input's"):
        found(folder)


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    folder = lay_out(tmp_path / "in")
    (tmp_path / "elsewhere").mkdir()
    (folder / "images/away").symlink_to(tmp_path / "elsewhere")
    text = (folder / "inputs.json").read_text().replace("images/ct-image", "images/away")
    (folder / "inputs.json").write_text(text)
    with pytest.raises(DataError, match=r"images/away lies outside"):
        found(folder)
    (folder / "images/away").unlink()
    (folder / "images/away").symlink_to("away")
    with pytest.raises(RequestError, match=r"images/away: does not exist"):
        found(folder)


def test_an_input_that_says_both_is_refused(tmp_path):
    folder = lay_out(tmp_path, super_kind="Value")
    with pytest.raises(DataError, match="says of ct-image both that it is an image"):
        found(folder)


def test_candidates_are_listed(tmp_path):
    folder = lay_out(tmp_path)
    write_volume(folder / "images/ct/2.mha", np.zeros(GRID.ras.shape, np.int16), GRID)
    (folder / "inputs.json").unlink()
    with pytest.raises(RequestError, match=r"2 inputs \(ct-image, ct\) could be the image"):
        found(folder)
    (folder / "images/ct-image").rename(folder / "images/b")
    (folder / "images/ct").rename(folder / "images/a")
    with pytest.raises(RequestError, match=r"no image for modality CT.*found a, b"):
        found(folder)
    assert found(folder, images={"CT": "a"}).name == "2"
    (folder / "interior-margin-points.json").rename(folder / "clicks.json")
    with pytest.raises(RequestError, match=r"2 inputs \(age, clicks\).*interior-margin-points"):
        found(folder, images={"CT": "a"})


def write_dicom(folder, volume, grid):
    """Write a volume (along RAS+) as a series, a file for each slice along the last stored axis."""
    folder.mkdir(parents=True)
    stored = grid.from_ras(volume).astype(np.int16)
    columns = grid.affine[:3, :3] * np.array([-1, -1, 1])[:, None]
    origin = grid.affine[:3, 3] * np.array([-1, -1, 1])
    spacing = np.linalg.norm(columns, axis=0)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for number in range(stored.shape[2]):
        image = sitk.GetImageFromArray(stored[:, :, number].T[None])
        image.SetSpacing(spacing.tolist())
        rows = "\\".join(f"{value:.6g}" for value in (columns / spacing).T[:2].ravel())
        place = origin + columns[:, 2] * number
        tags = {
            "0008|0060": "CT", "0020|000d": "1.2.3", "0020|000e": "1.2.3.4",
            "0008|0018": f"1.2.3.4.{number + 1}", "0020|0013": str(number + 1),
            "0020|0032": "\\".join(f"{value:.6g}" for value in place), "0020|0037": rows,
            "0028|0030": f"{spacing[1]:.6g}\\{spacing[0]:.6g}", "0018|0050": f"{spacing[2]:.6g}",
        }  # fmt: skip
        for tag, value in tags.items():
            image.SetMetaData(tag, value)
        # named by their UIDs, which do not sort as the slices lie
        writer.SetFileName(str(folder / f"1.2.3.4.{number + 1}.dcm"))
        writer.Execute(image)


def test_a_dicom_image_set_is_segmented_as_the_same_image_in_one_file(tmp_path):
    rng = np.random.default_rng(1)
    ct, pet = (rng.normal(0, 300, GRID.ras.shape).astype(np.int16) for _ in range(2))
    plan = make_plan((1.0, 1.0, 1.5))
    plan = replace(plan, modalities=("CT", "PET"), labels={1: "tumour", 2: "node"},
                   normalisation=plan.normalisation * 2)  # fmt: skip
    bundle = make_bundle(tmp_path / "model", plan)
    outer = make_scan(GRID).prompts[0].points
    inner = (outer + outer.mean(axis=0)) / 2
    points = [Prompt(1, outer, "tumour"), Prompt(2, inner, "node")]
    results = []
    for kind in ("file", "series"):
        folder = tmp_path / kind
        write_volume(folder / "images/pet-image/pet.mha", pet, GRID)
        if kind == "series":
            write_dicom(folder / "images/ct-image", ct, GRID)
        else:
            write_volume(folder / "images/ct-image/whole.mha", ct, GRID)
        write_prompts(folder / "interior-margin-points.json", points)
        write_list(folder, [
            {"socket": socket("ct-image", "images/ct-image", True, dicom=kind == "series")},
            {"socket": socket("pet-image", "images/pet-image", True)},
            {"socket": socket("interior-margin-points", "interior-margin-points.json", False)},
        ])  # fmt: skip
        (path,) = run_algorithm(folder, folder / "out", bundle)
        results.append(read_label(path))
        assert path.name == ("whole.mha" if kind == "file" else "ct-image.mha")
    assert results[0].array.any()
    assert np.array_equal(results[0].array, results[1].array)
    assert results[0].source.is_same_lattice(results[1].source)


def test_a_series_without_endings_is_one_too_and_a_mixture_is_none(tmp_path):
    folder = tmp_path / "images" / "ct-image"
    write_dicom(folder, np.zeros(GRID.ras.shape), GRID)
    (tmp_path / "interior-margin-points.json").write_text("{}")
    for number, path in enumerate(sorted(folder.iterdir())):
        path.rename(folder / f"IM{number:03d}")
    (folder / ".DS_Store").write_bytes(b"x")
    assert found(tmp_path).images == (folder,)
    read_image(folder)
    for name, content in (("notes.txt", b"x"), ("more.mha", b"")):
        (folder / name).write_bytes(content)
        with pytest.raises(RequestError, match=r"has 21 files \(IM000, IM001, IM002, IM003 \.\.\."):
            found(tmp_path)
        (folder / name).unlink()
    for path in folder.iterdir():
        path.unlink()
    for name in ("a.mha", "b.nii.gz"):
        (folder / name).touch()
    with pytest.raises(RequestError, match=r"has 2 files \(a\.mha, b\.nii\.gz\): expected one im"):
        found(tmp_path)


def test_voxels_in_a_file_beside_the_header_are_one_image(tmp_path):
    folder = lay_out(tmp_path)
    path = folder / "images/ct-image/0a1b.mha"
    sitk.WriteImage(sitk.ReadImage(str(path)), str(path.with_suffix(".mhd")))
    path.unlink()
    assert found(folder).images == (path.with_suffix(".mhd"),)
    assert read_image(found(folder).images[0]).array.shape[1:] == GRID.ras.shape


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ({"type": "Multiple points", "points": [{"point": [1, 2, 3]}, {"point": [4, 5, 6]}]}, 2),
        ({"type": "Multiple points", "name": "Points of interest",
          "points": [{"name": "Point 1", "point": [1, 2, 3], "probability": 0.5}]}, 1),
        ({"type": "Point", "name": "tumour", "point": [1, 2, 3]}, 1),
        ({"type": "Point", "point": [1, 2, 3]}, 1),
    ],
)  # fmt: skip
def test_points_of_the_kinds_of_grand_challenge(content, names, tmp_path):
    path = tmp_path / "interior-margin-points.json"
    path.write_text(json.dumps(content | {"version": {"major": 1, "minor": 0}}))
    (prompt,) = read_prompts(path, LabelNames({1: "tumour"}))
    assert prompt.label == 1 and len(prompt.points) == names
    assert prompt.points[0].tolist() == [-1, -2, 3]  # LPS to RAS


def test_other_kinds_of_annotations_are_refused_by_name(tmp_path):
    path = tmp_path / "interior-margin-points.json"
    for content in ({"type": "Line", "path_points": []}, {"type": "Multiple lines", "lines": []}):
        path.write_text(json.dumps(content | {"version": {"major": 1, "minor": 0}}))
        with pytest.raises(DataError, match="holds no list of points"):
            read_prompts(path, LabelNames({1: "tumour"}))


def test_the_list_of_an_organiser_s_pack_is_read(shared_cases):
    folder = shared_cases("b07_gc_sockets_2026")
    inputs = found(folder)
    assert inputs.images == (folder / "images/ct-image/0a1b.mha",)
    image = read_channels(inputs.images)
    (prompt,) = read_prompts(inputs.points, LabelNames({1: "tumour"}))
    assert image.grid.contains(prompt.points).all() and len(prompt.points) == 6


def test_a_dicom_image_set_is_a_series(shared_cases):
    folder = shared_cases("b08_gc_dicom_image_set")
    inputs = found(folder)
    assert inputs.images == (folder / "images/ct-image",)
    volume = read_image(inputs.images[0])
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(inputs.images[0])))
    assert volume.source.shape == reader.Execute().GetSize()


@pytest.mark.parametrize("mirrored", [True, False, "adaptive"])
def test_settings_say_which_mirrored_copies_are_asked(tmp_path, mirrored):
    (tmp_path / "algorithm.json").write_text(json.dumps({"mirrored": mirrored}))
    assert AlgorithmSettings.load(tmp_path / "algorithm.json").mirrored == mirrored
    (tmp_path / "algorithm.json").write_text('{"mirrored": "some"}')
    with pytest.raises((DataError, RequestError), match="mirrored"):
        AlgorithmSettings.load(tmp_path / "algorithm.json")
