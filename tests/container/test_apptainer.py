"""The same image as a SIF, run by an ordinary user."""

import os
import shutil
import subprocess

from tests.container.conftest import ORDINARY, TASK, given_away

ISOLATED = ("--containall", "--no-home", "--net", "--network", "none")


def run(*words, check=True, **env):
    done = subprocess.run(
        ["apptainer", *map(str, words)], env=os.environ | env, capture_output=True, text=True
    )
    assert not check or done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done


def test_its_own_test_passes(sif):
    path, log = sif
    assert "no problems" in log
    said = run("test", path).stdout
    assert "no problems" in said and "already compiled" in said


def test_it_says_what_it_is_for(sif):
    assert "-B data:/data" in run("run-help", sif[0]).stdout
    assert "Apache-2.0" in run("inspect", "--labels", sif[0]).stdout


def test_an_ordinary_user_plans(sif, apptainer, planned):
    root = apptainer / "task"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(planned.root / "data" / "raw", root / "data" / "raw")
    given_away(root / "results", ORDINARY)
    for one in (root, *root.rglob("*")):
        os.chown(one, ORDINARY, ORDINARY)
    where = ("-B", f"{root}/data:/data", "-B", f"{root}/results:/results")
    words = ("plan", "-t", TASK, "--preset", "tiny", "-f", "2")
    run("run", *ISOLATED, *where, sif[0], *words)
    made = root / "data" / "processed" / TASK / "plans.json"
    assert made.stat().st_uid == ORDINARY
    ours = planned.root / "data" / "processed" / TASK / "plans.json"
    assert made.read_bytes() == ours.read_bytes()


def test_it_says_how_to_mount(sif):
    done = run("run", *ISOLATED, sif[0], "plan", "-t", TASK, check=False)
    assert done.returncode == 2 and "-B FOLDER:/data" in done.stderr
