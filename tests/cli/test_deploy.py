"""A trained task becomes a bundle that does the same, elsewhere, without its task."""

import json
import math
import os
import shutil
import subprocess
import sys
import zipfile

import numpy as np
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.datasets.roots import Roots
from interactivenet.datasets.task import Task
from interactivenet.imaging.io import read_label
from interactivenet.models.bundle import BUNDLE, CARD, _digest, read_bundle, read_description
from interactivenet.models.task_model import model_of_task
from interactivenet.system.files import write_json
from tests.cli.deploying import bundle_of, deploy
from tests.cli.trained_command import CPU, case_of
from tests.training.trained_task import NAME


def test_what_is_written(root):
    folder = bundle_of(root)
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [BUNDLE, CARD, "fold_0.safetensors", "fold_1.safetensors"]
    )
    content = json.loads((folder / BUNDLE).read_text())
    assert content["task"] == NAME and content["labels"] == {"1": "tumour"}
    found = content["cross_validation"]
    assert found["cases"] == found["objects"] == 4 and found["metrics"]["dice"]["n"] == 4
    assert content["training"]["cases"] == 4 and content["training"]["epochs"] == 3
    assert {"torch", "monai", "python"} <= content["libraries"].keys()
    card = (folder / CARD).read_text(encoding="utf-8")
    assert "Phantoms, CC0" in card and f"{found['metrics']['dice']['mean']:.3f}" in card


def test_no_case_is_named_anywhere(root):
    names = [case.name for case in (*Task.load(root / "raw" / NAME).training, case_of(root))]
    for path in bundle_of(root).iterdir():
        data = path.read_bytes()
        assert not any(name.encode() in data for name in names), path
        assert str(root).encode() not in data, path


def test_again_keeps_it_and_a_change_replaces_it(root, tmp_path):
    for part in ("processed", "results"):
        shutil.copytree(root / part, tmp_path / part)
    before = (bundle_of(tmp_path) / BUNDLE).stat().st_mtime_ns
    done = deploy(tmp_path, "--description", "Phantoms, CC0")
    assert done.exit_code == 0 and "already up to date" in done.output
    assert (bundle_of(tmp_path) / BUNDLE).stat().st_mtime_ns == before
    content = read_description(bundle_of(tmp_path))  # another processor's last digits
    dice = content["cross_validation"]["metrics"]["dice"]
    dice["mean"] = math.nextafter(dice["mean"], 1)
    write_json(bundle_of(tmp_path) / BUNDLE, content | {"digest": _digest(content)})
    assert "already up to date" in deploy(tmp_path).output
    dice["mean"] += 1e-6
    write_json(bundle_of(tmp_path) / BUNDLE, content | {"digest": _digest(content)})
    assert "written" in deploy(tmp_path).output
    assert deploy(tmp_path, "--description", "other").exit_code == 0
    assert "other" in (bundle_of(tmp_path) / CARD).read_text(encoding="utf-8")
    path = bundle_of(tmp_path) / "fold_1.safetensors"
    path.write_bytes(path.read_bytes()[:-1])  # damaged: written again
    done = deploy(tmp_path, "--description", "other")
    assert done.exit_code == 0 and "written" in done.output
    assert len(read_bundle(bundle_of(tmp_path)).weights) == 2


def test_half_precision_is_still_the_tasks_own_model(root, tmp_path):
    for part in ("processed", "results"):
        shutil.copytree(root / part, tmp_path / part)
    whole = sum(path.stat().st_size for path in read_bundle(bundle_of(tmp_path)).weights)
    done = deploy(tmp_path, "--half")
    assert done.exit_code == 0 and "written" in done.output, done.output
    model = read_bundle(bundle_of(tmp_path))
    assert len(model.half_of) == 2
    assert sum(path.stat().st_size for path in model.weights) < 0.55 * whole
    assert "already up to date" in deploy(tmp_path, "--half").output
    assert not list((tmp_path / "results" / NAME / "deploy").glob(".half-*"))
    roots = Roots(tmp_path / "raw", tmp_path / "processed", tmp_path / "results")
    assert model_of_task(roots, NAME).half_of  # not "both a deployed model and different folds"
    assert "written" in deploy(tmp_path).output
    assert read_bundle(bundle_of(tmp_path)).half_of == ()


def test_what_a_person_has_written_is_not_lost(root, tmp_path):
    for part in ("processed", "results"):
        shutil.copytree(root / part, tmp_path / part)
    folder, archive = bundle_of(tmp_path), tmp_path / "results" / "models" / f"{NAME}.zip"
    card = (folder / CARD).read_text(encoding="utf-8")
    (folder / CARD).write_text(card + "\nAsk the radiologists.\n")
    (folder / "LICENSE").write_text("mine")
    assert "already up to date" in deploy(tmp_path, "--zip").output
    with zipfile.ZipFile(archive) as found:
        assert f"{NAME}/LICENSE" not in found.namelist()
    done = deploy(tmp_path, "--description", "another")
    assert done.exit_code == 0, done.output
    before = tmp_path / "results" / NAME / "deploy" / "before"
    assert "radiologists" in (before / CARD).read_text(encoding="utf-8")
    assert (before / "LICENSE").read_text() == "mine" and "LICENSE: kept from" in done.output
    assert not archive.exists() and "was removed" in done.output
    assert deploy(tmp_path).exit_code == 0  # the description stays
    assert "another" in (folder / CARD).read_text(encoding="utf-8")


def test_a_moved_bundle_gives_the_voxels_of_predict(root, tmp_path):
    """From another folder, in another process, with raw, processed and results gone."""
    moved = shutil.copytree(bundle_of(root), tmp_path / "elsewhere" / "model")
    case = case_of(root)
    image, points = tmp_path / case.images[0].name, tmp_path / case.interaction.name
    shutil.copy(case.images[0], image)
    shutil.copy(case.interaction, points)
    words = ["infer", "-t", NAME, "-i", image, "-in", points, "-o", "out", "--model", moved, *CPU]
    done = subprocess.run(
        [sys.executable, "-m", "interactivenet", *map(str, words)], cwd=tmp_path / "elsewhere",
        capture_output=True, text=True, env={k: v for k, v in os.environ.items()
                                             if not k.startswith("interactivenet_")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = (tmp_path / "elsewhere" / "out").glob("*.nii.gz")
    predicted = root / "results" / NAME / "predictions" / "ensemble" / f"{case.name}.nii.gz"
    assert np.array_equal(read_label(found).array, read_label(predicted).array)
    assert read_label(found).source.is_same_lattice(read_label(predicted).source)
    assert not (tmp_path / "elsewhere" / "results").exists()


def test_the_zip_is_installed_elsewhere(root, tmp_path):
    file = root / "results" / "models" / f"{NAME}.zip"
    before = file.read_bytes()
    done = deploy(root, "--zip", "--description", "Phantoms, CC0")
    assert done.exit_code == 0, done.output
    assert file.read_bytes() == before
    words = ["models", "install", str(file), "--results", str(tmp_path)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    mine, theirs = bundle_of(root), tmp_path / "models" / NAME
    assert {path.name: path.read_bytes() for path in mine.iterdir()} == {
        path.name: path.read_bytes() for path in theirs.iterdir()
    }


def test_what_cannot_be_deployed(root, tmp_path):
    done = deploy(tmp_path)
    assert done.exit_code == 2 and "does not exist" in done.output
    done = deploy(root, "--folds", "0,7")
    assert done.exit_code == 2 and "finished: 0" in done.output
    done = deploy(root, "--settings", tmp_path / "a.json")
    assert done.exit_code == 2 and "can only be used with --grand-challenge" in done.output
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious").touch()
    (tmp_path / "mine" / "model.tar.gz").touch()
    done = deploy(root, "--grand-challenge", tmp_path / "mine")
    assert done.exit_code == 2 and "expected a new folder" in done.output
    assert (tmp_path / "mine" / "precious").exists()


def test_a_damaged_model_is_not_handed_on(root, tmp_path):
    shutil.copytree(bundle_of(root), bundle_of(tmp_path))
    with (bundle_of(tmp_path) / "fold_0.safetensors").open("ab") as file:
        file.write(b"x")
    done = deploy(tmp_path, "--zip")
    assert done.exit_code == 2 and "was altered" in done.output


def test_zips_and_folders_of_others_are_not_replaced(root, tmp_path):
    for part in ("processed", "results"):
        shutil.copytree(root / part, tmp_path / part)
    folder, archive = bundle_of(tmp_path), tmp_path / "results" / "models" / f"{NAME}.zip"
    archive.write_bytes(b"mine")
    done = deploy(tmp_path, "--zip", "--description", "new")
    assert done.exit_code == 2 and f"{archive}: is not as" in done.output
    assert "new" not in (folder / CARD).read_text(encoding="utf-8")
    (folder / "notes").mkdir()
    kept = tmp_path / "results" / NAME / "deploy" / "before"
    for number in (1, 2):
        (folder / "notes").mkdir(exist_ok=True)
        (folder / "notes" / "mine.txt").write_text(f"mine {number}")
        done = deploy(tmp_path, "--description", f"new {number}")
        assert done.exit_code == 0, done.output
    assert archive.read_bytes() == b"mine" and "was left" in done.output
    assert (kept / "notes" / "mine.txt").read_text() == "mine 2"
    assert (kept / "notes" / "mine.txt.old").read_text() == "mine 1"
    shutil.rmtree(folder)
    folder.write_text("mine")
    assert deploy(tmp_path).exit_code == 2 and folder.read_text() == "mine"


def test_a_model_is_not_installed_over_files_of_others(root, tmp_path):
    file = root / "results" / "models" / f"{NAME}.zip"
    mine = tmp_path / "models" / NAME / "notes" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    words = ["models", "install", str(file), "--results", str(tmp_path), "--overwrite"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2 and f"{mine}: is no part of a model" in done.output
    assert mine.read_text() == "mine"
    mine.unlink()
    assert CliRunner().invoke(main, words).exit_code == 0
