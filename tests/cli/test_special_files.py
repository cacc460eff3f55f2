"""FIFOs, devices and sockets wherever a command reads: one line that names them, and no wait."""

import json

import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from tests.random_model import make_bundle
from tests.raw_task import GRID, POINTS, read, write_case, write_points
from tests.sample_cases import make_plan
from tests.special_files import KINDS, at_most, make_special

NAME = "Task501_SPECIAL"
#: each reader meets every kind in tests/system and tests/imaging
KIND = pytest.mark.parametrize("kind", ["fifo"])


def run(*words, folder):
    """Run a command within seconds; roots: raw, processed and results in a folder."""
    roots = {f"interactivenet_{root}": str(folder / root) for root in ("raw", "processed")}
    with at_most(30):
        return CliRunner(env=roots | {"interactivenet_results": str(folder / "results")}).invoke(
            main, [str(word) for word in words]
        )


@pytest.fixture
def task(tmp_path):
    """A raw task of two cases, and its folder."""
    folder = tmp_path / "raw" / NAME
    for name in ("good", "odd"):
        write_case(folder, name, prompt=True)
    return folder


@KIND
@pytest.mark.parametrize(
    "file",
    ["imagesTr/odd_0000.nii.gz", "labelsTr/odd.nii.gz", "interactionsTr/odd.nii.gz",
     "interactionsTr/odd.mrk.json", "interactionsTr/odd.fcsv", "interactionsTr/odd.csv"],
)  # fmt: skip
def test_dataset_leaves_out_the_case(task, tmp_path, kind, file):
    if file.startswith("interactionsTr"):
        (task / "interactionsTr" / "odd.nii.gz").unlink()
    make_special(task / file, kind)
    done = run("dataset", "-t", NAME, "-m", "CT", "-l", "tumour", folder=tmp_path)
    assert done.exit_code == 1, done.output
    (reason,) = read(task / "failures.json")["dataset"].values()
    assert file.rpartition("/")[2] in reason and KINDS[kind] in reason
    assert [case["case"] for case in read(task / "dataset.json")["training"]] == ["good"]


@KIND
@pytest.mark.parametrize("file", ["dataset.json", "subtypes.json"])
def test_lists_of_a_task_are_refused(task, tmp_path, kind, file):
    make_special(task / file, kind)
    words = ["dataset", "-t", NAME, "-m", "CT", "-l", "tumour", "--subtypes"]
    if file == "dataset.json":
        words = ["plan", "-t", NAME]
    done = run(*words, folder=tmp_path)
    assert done.exit_code == 2
    assert f"{file}: is {KINDS[kind]}: expected a regular file" in done.stderr


@pytest.fixture
def bundle(tmp_path):
    results = tmp_path / "results" / "models"
    results.mkdir(parents=True)
    make_bundle(tmp_path, make_plan((1.0, 1.0, 2.0))).rename(results / NAME)
    return results / NAME


@KIND
@pytest.mark.parametrize("role", ["image", "points", "label"])
def test_infer_fails_the_case(bundle, tmp_path, kind, role):
    case, new = tmp_path / "new", tmp_path / "out"
    write_case(case, "scan")
    write_points(case / "scan.csv", POINTS, grid=GRID)
    files = {
        "image": case / "imagesTr/scan_0000.nii.gz",
        "points": case / "scan.csv",
        "label": case / "labelsTr/scan.nii.gz",
    }
    make_special(files[role], kind)
    words = ["infer", "-t", NAME, "-i", files["image"], "-in", files["points"], "-o", new]
    done = run(*words, "-l", files["label"], "--no-tta", folder=tmp_path)
    assert done.exit_code == 1, done.output
    assert f"{files[role].name}: is {KINDS[kind]}" in " ".join(done.output.split())
    # a label is for comparison only
    assert bool(list(new.glob("scan*"))) == (role == "label")


@KIND
@pytest.mark.parametrize("file", ["bundle.json", "fold_2.safetensors", "MODEL_CARD.md"])
def test_a_bundle_with_one_is_neither_used_nor_installed(bundle, tmp_path, kind, file):
    make_special(bundle / file, kind)
    models = tmp_path / "elsewhere" / "models"
    done = run(
        "models", "install", bundle, "--results", models.parent, folder=tmp_path
    )  # fmt: skip
    assert done.exit_code == 2 and file in done.stderr, done.output
    assert not models.exists() or not list(models.iterdir())  # nothing half installed stays
    shown = run("models", "show", NAME, folder=tmp_path)
    assert shown.exit_code in (0, 2)
    if file == "fold_2.safetensors":
        words = ["infer", "-t", NAME, "-i", tmp_path, "-in", tmp_path, "-o", tmp_path / "out"]
        done = run(*words, folder=tmp_path)
        assert done.exit_code == 2 and f"{file}: is {KINDS[kind]}" in done.stderr, done.output


@KIND
def test_a_zip_of_a_model(tmp_path, kind):
    path = make_special(tmp_path / "model.zip", kind)
    done = run("models", "install", path, folder=tmp_path)
    assert done.exit_code == 2 and f"model.zip: is {KINDS[kind]}" in done.stderr, done.output
    models = tmp_path / "results" / "models"
    assert not models.exists() or not list(models.iterdir())


@KIND
@pytest.mark.parametrize("role", ["prediction", "label"])
def test_evaluate_names_the_case(tmp_path, kind, role):
    for folder in ("prediction", "label"):
        write_case(tmp_path / folder, "scan")
    make_special(tmp_path / role / "labelsTr" / "scan.nii.gz", kind)
    folders = [tmp_path / folder / "labelsTr" for folder in ("prediction", "label")]
    words = ["evaluate", "-p", folders[0], "-l", folders[1], "-o", tmp_path / "out"]
    done = run(*words, folder=tmp_path)
    assert done.exit_code == 1, done.output
    assert f"scan.nii.gz: is {KINDS[kind]}" in " ".join(done.output.split())


@KIND
@pytest.mark.parametrize("suffix", [".json", ".mrk.json", ".fcsv", ".csv", ".nii.gz"])
def test_prompts_to_convert(tmp_path, kind, suffix):
    path = make_special(tmp_path / f"points{suffix}", kind)
    done = run("prompts", "convert", path, tmp_path / "out.csv", folder=tmp_path)
    assert done.exit_code == 2 and f"{path.name}: is {KINDS[kind]}" in done.stderr, done.output
    assert not (tmp_path / "out.csv").exists()


@KIND
def test_an_import_leaves_out_the_case(tmp_path, kind):
    source = tmp_path / "Task05_ODD"
    for name in ("good", "odd"):
        write_case(source, name)
        (source / f"imagesTr/{name}_0000.nii.gz").rename(source / f"imagesTr/{name}.nii.gz")
    make_special(source / "imagesTr/odd.nii.gz", kind)
    listed = [
        {"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"}
        for name in ("good", "odd")
    ]
    content = {"modality": {"0": "CT"}, "labels": {"0": "background", "1": "tumour"},
               "training": listed, "test": []}  # fmt: skip
    (source / "dataset.json").write_text(json.dumps(content))
    done = run("dataset", "convert", source, "-t", NAME, folder=tmp_path)
    assert done.exit_code == 1, done.output
    assert KINDS[kind] in done.output
    task = tmp_path / "raw" / NAME
    assert [case["case"] for case in read(task / "dataset.json")["training"]] == ["good"]
