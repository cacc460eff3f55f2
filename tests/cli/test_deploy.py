"""A trained task becomes a bundle that does the same, elsewhere, without its task."""

import json
import math
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.datasets.roots import Roots
from interactivenet.datasets.task import Task
from interactivenet.grand_challenge.algorithm import run_algorithm
from interactivenet.imaging.io import read_label
from interactivenet.models.bundle import (
    BUNDLE,
    CARD,
    _digest,
    model_of_task,
    read_bundle,
    read_description,
)
from interactivenet.system.files import write_json
from tests.cli.trained_command import CPU, case_of, run
from tests.training.trained_task import NAME


@pytest.fixture(scope="module")
def root(trained, tested, tmp_path_factory):
    """Two trained folds, their predictions of the test cases, and the deployed model."""
    root = tmp_path_factory.mktemp("deploying")
    for part, source in (("raw", trained), ("processed", trained), ("results", tested[1].parent)):
        shutil.copytree(source / part, root / part)
    done = deploy(root, "--zip", "--description", "Phantoms, CC0")
    assert done.exit_code == 0, done.output
    return root


def deploy(root, *words):
    return run(root, "deploy", "-t", NAME, *words, raw=False)


def bundle_of(root):
    return root / "results" / "models" / NAME


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


def test_a_grand_challenge_algorithm_of_an_installed_model(root, tmp_path):
    """It needs nothing but the bundle; its example is segmented as infer would."""
    shutil.copytree(bundle_of(root), bundle_of(tmp_path))
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"output": "gtv", "points": "clicks", "mirrored": False}))
    folder = tmp_path / "algorithm"
    words = ["--grand-challenge", folder, "--image", "registry/net:1", "--settings", settings]
    done = deploy(tmp_path, *words)
    assert done.exit_code == 0, done.output
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    (image,) = [one for one in files if one.endswith(".mha")]
    assert files == sorted([
        ".dockerignore", "Dockerfile", "README.md", "do_build.sh", "do_save.sh", "do_test_run.sh",
        "model.tar.gz", image, "test/input/clicks.json", "test/input/inputs.json", "written.json",
    ])  # fmt: skip
    assert "ARG IMAGE=registry/net:1" in (folder / "Dockerfile").read_text()
    for name in ("do_build.sh", "do_test_run.sh", "do_save.sh"):
        assert os.access(folder / name, os.X_OK)
        subprocess.run(["bash", "-n", folder / name], check=True)
    with tarfile.open(folder / "model.tar.gz") as tar:
        tar.extractall(tmp_path / "model", filter="data")
    (written,) = run_algorithm(folder / "test" / "input", tmp_path / "out", tmp_path / "model")
    assert written.parent == tmp_path / "out" / "images" / "gtv"
    words = ["infer", "-t", NAME, "-i", folder / image, "-in", folder / "test/input/clicks.json",
             "-o", tmp_path / "inferred", "--no-tta", "--device", "cpu"]  # fmt: skip
    done = run(tmp_path, *words, raw=False)
    assert done.exit_code == 0, done.output
    (inferred,) = (tmp_path / "inferred").glob("*.nii.gz")
    assert np.array_equal(read_label(written).array, read_label(inferred).array)
    before = (folder / "model.tar.gz").read_bytes()
    assert deploy(tmp_path, "--grand-challenge", folder, "--settings",
               settings).exit_code == 0  # fmt: skip
    assert (folder / "model.tar.gz").read_bytes() == before


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_algorithm_replaces_only_what_deploy_wrote(root, tmp_path):
    folder = tmp_path / "algorithm"
    assert deploy(root, "--grand-challenge", folder).exit_code == 0
    written = contents(folder)
    assert deploy(root, "--grand-challenge", folder).exit_code == 0
    assert contents(folder) == written
    models = contents(root / "results")
    for name, text, fault in (
        ("Dockerfile", "FROM mine", "was changed since"),
        ("model.tar.gz", "mine", "was changed since"),
        ("test/input/mine.txt", "mine", "was not written by"),
        ("test/mine.txt", "mine", "was not written by"),
        (".hidden", "mine", "was not written by"),
        ("written.json", "{}", "was not written by"),
        ("written.json", '{"task": "mine", "files": [1]}', "was not written by"),
    ):
        path = folder / name
        original = path.read_bytes() if path.exists() else None
        path.write_text(text)
        before = contents(folder)
        done = deploy(root, "--grand-challenge", folder, "--description", "new")
        assert done.exit_code == 2, done.output
        assert f"{path}: {fault}" in done.output, done.output
        assert contents(folder) == before and contents(root / "results") == models
        if original is None:
            path.unlink()
        else:
            path.write_bytes(original)
    (folder / "written.json").unlink()  # as of an earlier version: nothing says whose they are
    done = deploy(root, "--grand-challenge", folder)
    assert done.exit_code == 2 and f"{folder / '.dockerignore'}: was not" in done.output
    task = tmp_path / "Task001_A"
    (task / "labelsTr").mkdir(parents=True)
    done = deploy(root, "--grand-challenge", task / "algorithm")
    assert done.exit_code == 2 and "is inside the raw task" in done.output
    assert "--grand-challenge" in done.output and not (task / "algorithm").exists()


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


def no_links(*_, **__):
    raise OSError("no hard links here")


def test_docker_commands_of_the_algorithm(root, tmp_path, monkeypatch):
    """The scripts call the builder and the runner as they should, here a stand-in."""
    folder = tmp_path / "algorithm"
    done = deploy(root, "--grand-challenge", folder)
    assert done.exit_code == 0, done.output
    docker = tmp_path / "docker"
    docker.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n'
        'if [ "$1" = run ]; then mkdir -p test/output/images/tumour-segmentation;'
        " touch test/output/images/tumour-segmentation/a.mha; fi\n"
    )
    docker.chmod(0o755)
    environment = os.environ | {"DOCKER": str(docker)}
    for name in ("do_test_run.sh", "do_save.sh"):
        subprocess.run([folder / name], check=True, env=environment, cwd="/", capture_output=True)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.split()[0] for call in calls] == ["build", "run", "build", "save"]
    for part in ("--network none", "--cap-drop ALL", ":/input:ro", ":/opt/ml/model:ro"):
        assert part in calls[1]
    assert sorted(p.name for p in Path(folder / "test" / "model").iterdir()) == sorted(
        [BUNDLE, CARD, "algorithm.json", "fold_0.safetensors", "fold_1.safetensors"]
    )
    made = ("test/output/", "test/model/", "task104-train-algorithm.tar.gz")
    kept = {path: data for path, data in contents(folder).items()
            if path.relative_to(folder).as_posix().startswith(made)}  # fmt: skip
    assert len(kept) == 7
    (folder / "test" / "output" / "link").symlink_to("nowhere")
    for link in (os.link, no_links):
        monkeypatch.setattr(os, "link", link)
        done = deploy(root, "--grand-challenge", folder)
        assert done.exit_code == 0, done.output
        assert kept.items() <= contents(folder).items()
        assert (folder / "test" / "output" / "link").readlink() == Path("nowhere")
