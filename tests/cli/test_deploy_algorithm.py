"""``deploy --grand-challenge``: an algorithm does what infer does, and replaces nothing else."""

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import numpy as np

from interactivenet.grand_challenge.algorithm import run_algorithm
from interactivenet.imaging.io import read_label
from interactivenet.models.bundle import BUNDLE, CARD
from tests.cli.deploying import bundle_of, deploy
from tests.cli.trained_command import run
from tests.training.trained_task import NAME


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
