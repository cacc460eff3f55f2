import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import write_volume
from interactivenet.prompts.corrections import Correction
from interactivenet.prompts.io import read_prompts, write_prompts
from interactivenet.prompts.prompt import LabelNames, Prompt
from tests.prompts.prompt_files import of_background
from tests.raw_task import POINTS, read, write_case, write_points

NAME = "Task103_PROMPTS"


@pytest.fixture
def case(tmp_path):
    task = tmp_path / NAME
    write_case(task, "a", prompt=True)
    return task


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def convert(*arguments):
    return CliRunner().invoke(main, ["prompts", "convert", *map(str, arguments)])


def test_a_mask_goes_round_through_every_format(case, out):
    mask, image = case / "interactionsTr/a.nii.gz", case / "imagesTr/a_0000.nii.gz"
    chain = [mask, *(out / f"a{suffix}" for suffix in (".json", ".mrk.json", ".fcsv", ".csv"))]
    for source, target in zip(chain, [*chain[1:], out / "back.nii.gz"], strict=True):
        result = convert(source, target, "-l", "tumour", "--image", image)
        assert result.exit_code == 0, result.output
        assert "label 1 (6 points)" in result.stdout
    assert (out / "back.nii.gz").read_bytes() == mask.read_bytes()


def test_voxel_indices_only_when_asked_for(case, out):
    image = case / "imagesTr/a_0000.nii.gz"
    mask = case / "interactionsTr/a.nii.gz"
    assert convert(mask, out / "v.json", "--image", image, "--voxels-out").exit_code == 0
    stored = {tuple(point["point"]) for point in read(out / "v.json")["points"]}
    assert stored == {(19 - x, 17 - y, z) for x, y, z in POINTS}  # LPS on disk, RAS inside
    assert convert(out / "v.json", out / "w.csv").exit_code == 2
    assert convert(out / "v.json", out / "w.csv", "--voxels-in", "--image", image).exit_code == 0
    np.testing.assert_allclose(
        np.sort(read_prompts(out / "w.csv")[0].points, axis=0),
        np.sort(read_prompts(mask)[0].points, axis=0),
        atol=1e-4,
    )


def test_the_task_says_what_names_mean(case, out):
    raw = ["--raw", str(case.parent)]
    arguments = ["dataset", "-t", NAME, "-m", "MR", "-l", "3=oedema", "-l", "1=tumour", *raw]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    write_prompts(case / "p.csv", [Prompt(3, np.zeros((1, 3)), "oedema")])
    assert "label 3 (1 point)" in convert(case / "p.csv", out / "p.json", "-t", NAME, *raw).stdout


def test_a_name_without_a_value_is_carried_but_never_drawn(case, out):
    write_prompts(case / "p.csv", [Prompt(3, np.zeros((2, 3)), "tumour")])
    image = case / "imagesTr/a_0000.nii.gz"
    assert "tumour (2 points)" in convert(case / "p.csv", out / "p.mrk.json").stdout
    result = convert(out / "p.mrk.json", out / "p.nii.gz", "--image", image)
    assert result.exit_code == 2
    assert "which label value is that" in result.stderr


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_overwriting_replaces_points_of_every_text_format(case, out):
    mask, image = case / "interactionsTr/a.nii.gz", case / "imagesTr/a_0000.nii.gz"
    for name in ("a.json", "a.mrk.json", "a.fcsv", "a.csv", "v.json"):
        voxels = ["--voxels-out", "--image", image] if name == "v.json" else []
        assert convert(mask, out / name, *voxels).exit_code == 0
        before = (out / name).read_bytes()
        assert convert(mask, out / name).exit_code == 2
        assert (out / name).read_bytes() == before
        again = convert(out / "a.json", out / "b.csv", "--overwrite")
        assert again.exit_code == 0, again.output
        again = convert(out / "b.csv", out / name, "--overwrite")
        assert again.exit_code == 0, again.output


def test_points_may_go_among_those_of_a_task(case, out):
    target = case / "interactionsTs" / "b.json"
    assert convert(case / "interactionsTr/a.nii.gz", target).exit_code == 0
    assert read_prompts(target)
    inside = case / "labelsTr" / "interactionsTr" / "b.json"
    assert convert(case / "interactionsTr/a.nii.gz", inside).exit_code == 2


def test_nothing_is_written_into_the_folder_of_the_image(case, out):
    result = convert(case / "interactionsTr/a.nii.gz", out / "a.json", "--image", out)
    assert result.exit_code == 2 and "which is read" in result.stderr and not any(out.iterdir())


REQUESTS = {
    "no source": (["no.json", "x.csv"], "no.json: cannot be read"),
    "onto itself": (["{mask}", "{mask}"], "is the source itself"),
    "a mask without an image": (["{mask}", "x.nii.gz"], "expected the case's image (--image)"),
    "over a file": (["{mask}", "{taken}"], "exists: --overwrite replaces it"),
    "over no points": (["{mask}", "{taken}", "--overwrite"], "is no file of points"),
    "over a text": (["{mask}", "{notes}", "--overwrite"], "is no file of points"),
    "over the image": (
        ["{mask}", "{image}", "--image", "{image}", "-l", "a", "--overwrite"],
        "is the image itself",
    ),
    "over a label map": (
        ["{mask}", "{label}", "--image", "{image}", "-l", "a", "--overwrite"],
        "is inside the raw task",
    ),
    "over a link to it": (
        ["{mask}", "{link}", "--image", "{image}", "-l", "a", "--overwrite"],
        "is inside the raw task",
    ),
    "over a copy of it": (
        ["{mask}", "{map}", "--image", "{image}", "-l", "a", "--overwrite"],
        "exists: an image is never replaced: remove it first",
    ),
    "over a mask": (
        ["{mask}", "{points}", "--image", "{image}", "-l", "a", "--overwrite"],
        "exists: an image is never replaced: remove it first",
    ),
    "among the images": (["{mask}", "{new}"], "is inside the raw task"),
    "an unknown format": (
        ["{mask}", "x.txt"],
        "x.txt: is no format of points that can be written: expected .mrk.json",
    ),
    "task and labels": (
        ["{mask}", "x.csv", "-t", NAME, "-l", "a"],
        "-t / --task: cannot be combined with -l / --label",
    ),
    "voxels into csv": (
        ["{mask}", "x.csv", "--voxels-out"],
        "x.csv: cannot hold voxel indices: expected a .json file",
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_wrong_requests_get_one_line(case, out, name):
    options, message = REQUESTS[name]
    places = {"mask": case / "interactionsTr/a.nii.gz", "taken": out / "taken.csv"}
    places["taken"].write_text("precious")
    places |= {"image": case / "imagesTr/a_0000.nii.gz", "label": case / "labelsTr/a.nii.gz",
               "map": out / "map.nii.gz", "points": out / "points.nii.gz", "link": out / "l.nii.gz",
               "new": case / "imagesTr/a.csv", "notes": out / "record.json"}  # fmt: skip
    places["notes"].write_text('{"objects": []}')
    shutil.copy(places["label"], places["map"])
    shutil.copy(places["mask"], places["points"])
    places["link"].symlink_to(places["label"])
    before = contents(case.parent)
    result = convert(*(option.format(**places) for option in options))
    assert contents(case.parent) == before
    assert result.exit_code == 2
    assert message in result.stderr and result.stderr.count("\n") == 1


def test_several_files_are_joined(case, out):
    rng = np.random.default_rng(0)
    for name, label in (("tumour", 1), ("b", 2), ("c", 1)):
        points = rng.normal(size=(6, 3))
        write_prompts(case / f"{name}.csv", [Prompt(label, points, ("", "tumour", "node")[label])])
    background = of_background(points[:2])
    write_prompts(case / "d.csv", [Prompt(1, points, "tumour", corrections=background)])
    sources = [case / f"{name}.csv" for name in ("tumour", "b", "c", "d")]
    result = convert(*sources, out / "all.json", "-l", "tumour", "-l", "node")
    assert result.exit_code == 0, result.output
    assert "label 1 (6 points), label 2 (6 points), label 1 (6 points), label 1" in result.stdout
    assert "2 background points" in result.stdout
    names = [point["name"] for point in read(out / "all.json")["points"]]
    assert list(dict.fromkeys(names)) == ["tumour", "node", "tumour#2", "tumour#3", "background"]
    again = convert(*sources, sources[0], "--overwrite")
    assert again.exit_code == 2 and "is the source itself" in again.stderr


def test_corrections_are_converted_and_counted(case, out):
    points = np.random.default_rng(0).normal((20, 10, -20), 1, (6, 3))
    background = of_background(points[:1])
    clicks = (Correction(points[1], True), *background, Correction(points[2], False))
    prompts = [Prompt(1, points, "tumour", corrections=clicks),
               Prompt(2, points + 1, "node", corrections=background),
               Prompt(1, points + 2, "tumour", corrections=(*background, clicks[0]))]  # fmt: skip
    write_prompts(case / "a.csv", prompts)
    path = case / "a.csv"
    said = (
        "(6 points, 2 corrections), {} (6 points), {} (6 points, 1 correction), 1 background point"
    )
    for suffix in (".json", ".fcsv", ".mrk.json"):
        result = convert(path, out / f"a{suffix}", "-l", "tumour", "-l", "node")
        assert result.exit_code == 0, result.output
        assert said.format("label 2", "label 1") in result.stdout
        path = out / f"a{suffix}"
    back = read_prompts(path, LabelNames({1: "tumour", 2: "node"}))
    found = [[(each.positive, each.position) for each in prompt.corrections] for prompt in back]
    assert found == [[(each.positive, each.position) for each in prompt.corrections]
                     for prompt in prompts]  # fmt: skip
    write_prompts(path, prompts[:1])
    image = case / "imagesTr/a_0000.nii.gz"
    result = convert(path, out / "mask.nii.gz", "--image", image, "-l", "tumour")
    assert result.exit_code == 0, result.output
    assert "3 corrections are left out, which a mask cannot hold" in result.stdout
    assert "label 1 (6 points)\n" in result.stdout
    (case / "b.csv").write_text("name,x,y,z,system\ntumour+,1,2,3,RAS\n")
    result = convert(case / "b.csv", out / "b.json")
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert (
        "b.csv: has a correction named 'tumour+' of 'tumour', of which there are" in result.stderr
    )


def test_labels_that_end_in_signs_are_converted(case, out):
    points = np.random.default_rng(0).normal(size=(6, 3))
    labels = LabelNames({1: "HER2", 2: "HER2+"})
    prompts = [Prompt(1, points, "HER2", corrections=(Correction(points[0], True),))]
    write_prompts(case / "a.csv", prompts, labels=labels)
    result = convert(case / "a.csv", out / "a.json", "-l", "HER2", "-l", "HER2+")
    assert result.exit_code == 0, result.output
    (prompt,) = read_prompts(out / "a.json", labels)
    assert len(prompt.points) == 6 and prompt.positive.tolist() == points[:1].tolist()


def test_what_was_left_out_or_lies_outside_is_said(case, out):
    image = case / "imagesTr/a_0000.nii.gz"
    path = case / "F.csv"
    path.write_text("label,r,a,s,defined\nF-1,500,0,0,1\nF-2,0,0,0,0\n")
    result = convert(path, out / "F.json", "--image", image)
    assert result.exit_code == 0, result.output
    assert "F.csv: F-2 (not defined) was left out" in result.stdout
    assert "F.csv: F-1 at (500, 0, 0) mm (RAS) lies" in result.stdout


def test_clicks_of_autopet_are_converted(shared_cases, tmp_path):
    folder = shared_cases("b12_other_refused")
    grid = Geometry((300, 300, 500), np.diag([2.0, 2, 3, 1]))
    write_volume(tmp_path / "pet.nii", np.zeros((300, 300, 500), np.uint8), grid)
    for name in ("lesion-clicks.json", "autopet_training_clicks.json"):
        target = tmp_path / f"{name}.csv"
        result = convert(folder / name, target, "--voxels-in", "--image", tmp_path / "pet.nii")
        assert result.exit_code == 0, result.output
        assert "tumor (10 points), 10 background points" in result.stdout
    result = convert(folder / name, tmp_path / "mm.csv")
    assert result.exit_code == 2 and "in voxel indices" in result.stderr
    assert "--voxels-in" in result.stderr
    assert "F (3 points)" in convert(folder / "table.csv", tmp_path / "t.mrk.json").stdout


def test_a_target_of_no_format_is_named_as_such(tmp_path):
    source = tmp_path / "a.json"
    write_points(source, POINTS)
    done = CliRunner().invoke(main, ["prompts", "convert", str(source), str(tmp_path / "o.xyz")])
    assert done.exit_code == 2 and "o.xyz: is no format of points" in done.output, done.output
