"""The jobs of apptainer/slurm/ on a real SLURM of one node, the container's program in its place.

A job that is requeued waits two minutes in SLURM: here it is told to start at once.
"""

import csv
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.container.conftest import ORDINARY, wanted
from tests.raw_task import read

ROOT = Path(__file__).parents[2]
PROGRAM = Path(sys.executable).with_name("interactivenet")
SUBMIT = ROOT / "apptainer/slurm/submit.sh"
TASK = "Task999_DEMO"
PHANTOM = ["--cases", "4", "--test-cases", "1", "-m", "CT", "--shape", "48", "48", "24"]
PLAN = "--preset tiny"
#: of the one node's two processors and 4 GB
SMALL = ["--cpus-per-task=1", "--mem=1500"]
EPOCHS = 16
#: seconds, beside other tests on two cores
PATIENCE = 400

APPTAINER = """#!{python}
import argparse, os, sys
parser = argparse.ArgumentParser("apptainer", allow_abbrev=False)
parser.add_argument("exec", choices=["exec"])
parser.add_argument("--nv", action="store_true")
parser.add_argument("--cleanenv", action="store_true", required=True)
parser.add_argument("--no-mount", choices=["home,cwd"], required=True)
parser.add_argument("-B", action="append", required=True)
parser.add_argument("--env", action="append", default=[])
parser.add_argument("sif")
parser.add_argument("program", choices=["interactivenet"])
parser.add_argument("words", nargs=argparse.REMAINDER)
given = parser.parse_args()
assert os.path.isfile(given.sif), given.sif
bound = {{inside: outside for outside, inside, *_ in (one.split(":") for one in given.B)}}
new = ["/images", "/output", "/points"] if given.words[0] == "infer" else []
assert sorted(bound) == ["/data", *new, "/results"], bound
assert all(map(os.path.isdir, bound.values())), bound
words = [bound.get(word, word) for word in given.words]
inside = dict(one.split("=", 1) for one in given.env)
print("apptainer:", "--nv" if given.nv else "", given.env, flush=True)
inside.update(
    PATH="/usr/bin:/bin",
    interactivenet_raw=bound["/data"] + "/raw",
    interactivenet_processed=bound["/data"] + "/processed",
    interactivenet_results=bound["/results"],
)
os.execve({program!r}, [{program!r}, *words], inside)
"""


@pytest.fixture(scope="module")
def apptainer_on_path(tmp_path_factory):
    """A folder for PATH, and an image: the script there takes what our jobs may say, no more."""
    folder = tmp_path_factory.mktemp("apptainer")
    script, sif = folder / "apptainer", folder / "interactive net.sif"
    script.write_text(APPTAINER.format(python=sys.executable, program=str(PROGRAM)))
    script.chmod(0o755)
    sif.touch()
    return folder, sif


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """A running SLURM: a function that calls one of its commands and returns what it says."""
    wanted()
    folder = tmp_path_factory.mktemp("slurm")
    script = Path(__file__).with_name("slurm.sh")
    with subprocess.Popen(
        [script, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:  # it ends with its standard input
        said = running.stdout.readline().strip()
        if said.startswith("skip: "):
            pytest.skip(said.removeprefix("skip: "))
        assert said == "ready"
        env = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}

        def call(*words):
            done = subprocess.run(words, env=env, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            return done.stdout

        call.env = env
        yield call
        running.stdin.close()
        running.wait()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with a checked task in raw/; the name has a space."""
    folder = tmp_path_factory.mktemp("task") / "my data"
    for words in (["dataset", "phantom", *PHANTOM], ["simulate"], ["dataset"]):
        subprocess.run([PROGRAM, *words, "-t", TASK, "--raw", folder / "raw"], check=True)
    return folder


@pytest.fixture(scope="module")
def planned(data):
    """The task is planned, for tests of what comes then."""
    roots = ["--raw", data / "raw", "--processed", data / "processed"]
    subprocess.run([PROGRAM, "plan", "-t", TASK, "-f", "2", *PLAN.split(), *roots], check=True)


@pytest.fixture
def submit(slurm, apptainer_on_path, data, tmp_path):
    """Return a function that calls submit.sh, with variables, and gives job name -> number."""
    path, sif = apptainer_on_path

    def call(*words, **variables):
        given = {
            "SIF": sif, "DATA": data, "RESULTS": tmp_path / "my results", "TASK": TASK,
            "FOLDS": 2, "EPOCHS": EPOCHS, "PLAN_ARGS": PLAN, "TRAIN_ARGS": "--no-mlflow",
            "TEST_ARGS": "--no-mlflow --no-tta", "GRES": "", "NV": "",
            "PATH": f"{path}:{os.environ['PATH']}", **variables,
        }  # fmt: skip
        env = slurm.env | {name: str(value) for name, value in given.items()}
        done = subprocess.run(
            [SUBMIT, *words, "--", *SMALL], env=env, cwd=tmp_path, capture_output=True, text=True
        )
        if done.returncode:
            return done.stderr
        return dict(re.findall(r"^(\w+): job (\d+)", done.stdout, re.MULTILINE))

    yield call
    slurm("scancel", "--quiet", "--user=root")


@pytest.fixture
def jobs(slurm):
    """Return a function: what SLURM knows of a job, or of one task of an array, '17_1'."""

    def show(number):
        text = slurm("scontrol", "show", "job", "--oneliner", number)
        found = [dict(re.findall(r"(\w+)=(\S*)", line)) for line in text.splitlines()]
        assert len(found) == 1, text
        return found[0]

    return show


@pytest.fixture
def until(jobs):
    """Return a function that waits until all of the jobs are in a state."""

    def wait(state, *numbers, seconds=PATIENCE):
        return eventually(
            lambda: all(jobs(number)["JobState"] == state for number in numbers), seconds,
            lambda: {number: jobs(number) for number in numbers},
        )  # fmt: skip

    return wait


def eventually(true, seconds=PATIENCE, otherwise=lambda: None):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, otherwise()
        time.sleep(0.2)


def epochs(results, fold):
    path = results / TASK / f"fold_{fold}/metrics.csv"
    if not path.exists():
        return []
    with path.open() as file:
        return [int(row["epoch"]) for row in csv.DictReader(file)]


def restart(slurm, *numbers):
    time.sleep(3)  # started again within the same second, a job's credential is taken for revoked
    for number in numbers:
        slurm("scontrol", "update", f"JobId={number}", "StartTime=now")


def test_chain_whose_folds_are_interrupted(slurm, submit, jobs, until, tmp_path):
    """One fold is requeued, as pre-emption does it; the other is told of its time limit."""
    results = tmp_path / "my results"
    chain = submit(NV="--nv", MLFLOW_TRACKING_URI="https://observer/?a=b", CUDA_VISIBLE_DEVICES="3")
    assert list(chain) == ["plan", "train", "test"]
    folds = [f"{chain['train']}_{fold}" for fold in (0, 1)]
    assert jobs(chain["test"])["Dependency"].startswith(f"afterok:{chain['train']}_*")
    eventually(lambda: all(len(epochs(results, fold)) >= 1 for fold in (0, 1)))
    slurm("scontrol", "requeue", folds[0])
    slurm("scancel", "--signal=USR1", "--batch", folds[1])
    until("PENDING", *folds)
    before = [epochs(results, fold) for fold in (0, 1)]
    assert all(0 < len(rows) < EPOCHS for rows in before)
    assert jobs(chain["test"])["JobState"] == "PENDING"
    restart(slurm, *folds)
    until("COMPLETED", chain["plan"], *folds, chain["test"])

    plan, *trained, test = [jobs(number) for number in (chain["plan"], *folds, chain["test"])]
    assert all(plan["EndTime"] <= one["StartTime"] for one in trained)
    assert all(one["EndTime"] <= test["StartTime"] for one in trained)
    assert [one["Restarts"] for one in (plan, *trained, test)] == ["0", "1", "1", "0"]
    passed = [
        "OMP_NUM_THREADS=1",
        "CUDA_VISIBLE_DEVICES=3",
        "MLFLOW_TRACKING_URI=https://observer/?a=b",
    ]
    for fold in (0, 1):
        log = (results / f"slurm/train-{chain['train']}_{fold}.out").read_text()
        assert "start 1: interactivenet train" in log and "start 2: interactivenet train" in log
        assert "ended by SIGTERM: run the same command again" in log
        assert f"apptainer: --nv {passed}\n" in log
        assert ("the time limit is near" in log) == (fold == 1)
        # each epoch was trained once
        assert epochs(results, fold) == list(range(1, EPOCHS + 1))
        lines = re.findall(rf"^epoch (\d+)/{EPOCHS}:", log, re.MULTILINE)
        assert lines == [str(number) for number in range(1, EPOCHS + 1)]
        assert read(results / TASK / f"fold_{fold}/run.json")["resumed"] == len(before[fold])
    assert "--nv" not in (results / f"slurm/plan-{chain['plan']}.out").read_text()
    assert (results / TASK / "evaluation/report.html").exists()


def test_chain_in_the_container(slurm, data, submit, until, jobs, sif, apptainer):
    """The same with the real Apptainer, which hands signals to the program inside.

    Here the time limit's, which reaches the job's script alone. Of a requeued job this SLURM, which
    tracks processes by their parents, ends Apptainer's mount of the image, too.
    """
    root = apptainer / "of slurm"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(data / "raw", root / "my data" / "raw")
    image, results = root / "interactive net.sif", root / "my results"
    os.link(sif[0], image)
    results.mkdir()
    for one in (root, *root.rglob("*")):
        os.chown(one, ORDINARY, ORDINARY)
    chain = submit(
        SIF=image, DATA=root / "my data", RESULTS=results, EPOCHS=8, PATH=os.environ["PATH"]
    )
    folds = [f"{chain['train']}_{fold}" for fold in (0, 1)]
    eventually(lambda: epochs(results, 0), otherwise=lambda: jobs(folds[0]))
    slurm("scancel", "--signal=USR1", "--batch", folds[0])
    until("PENDING", folds[0])
    restart(slurm, folds[0])
    until("COMPLETED", chain["plan"], *folds, chain["test"])
    log = (results / f"slurm/train-{chain['train']}_0.out").read_text()
    assert "ended by SIGTERM: run the same command again" in log
    assert "continuing after epoch" in log
    for fold in (0, 1):
        assert epochs(results, fold) == list(range(1, 9))
    assert (results / TASK / "evaluation/report.html").exists()


def test_preempted_then_cancelled(planned, slurm, submit, jobs, until, tmp_path):
    results = tmp_path / "my results"
    chain = submit("train", "test", FOLDS=1, EPOCHS=50)
    fold = f"{chain['train']}_0"
    eventually(lambda: epochs(results, 0))
    # a job that needs the whole node, in a partition of higher priority
    urgent = slurm("sbatch", "--parsable", "--partition=urgent", "--cpus-per-task=2", "--output",
                   tmp_path / "urgent.out", "--wrap", "sleep 1").strip()  # fmt: skip
    until("COMPLETED", urgent)
    assert (jobs(fold)["JobState"], jobs(fold)["Restarts"]) == ("PENDING", "1")
    saved = epochs(results, 0)
    restart(slurm, fold)
    eventually(lambda: len(epochs(results, 0)) > len(saved))
    slurm("scancel", fold)
    until("CANCELLED", fold, chain["test"])
    kept = epochs(results, 0)
    assert kept == list(range(1, len(kept) + 1))
    log = (results / f"slurm/train-{chain['train']}_0.out").read_text()
    assert log.count("ended by SIGTERM: run the same command again") == 2
    time.sleep(3)  # it is not put back into the queue
    assert (jobs(fold)["JobState"], jobs(fold)["Restarts"]) == ("CANCELLED", "1")


def test_failing_fold_ends_the_chain(planned, submit, jobs, until, tmp_path):
    # the plan has two folds
    chain = submit("train", "test", FOLDS=3, EPOCHS=1, TRAIN_ARGS="--no-validate --no-mlflow")
    folds = [f"{chain['train']}_{fold}" for fold in (0, 1, 2)]
    until("FAILED", folds[2])
    until("COMPLETED", *folds[:2])
    assert jobs(folds[2])["ExitCode"] == "2:0"
    until("CANCELLED", chain["test"])
    log = (tmp_path / f"my results/slurm/train-{chain['train']}_2.out").read_text()
    assert "-f / --fold 2: expected all or one of 0, 1" in log
    assert "interactivenet train: exit status 2" in log


def test_new_cases_in_an_array_one_of_whose_jobs_is_cancelled(
    slurm, submit, jobs, until, data, tmp_path
):
    """What it has not done is named by the gathering, and done where the line is repeated."""
    images, points = tmp_path / "new scans", tmp_path / "points"
    images.mkdir()
    points.mkdir()
    raw, names = data / "raw" / TASK, ["a", "b", "c", "d", "e"]
    for name in names:
        for kind, target in (("imagesTr", images), ("interactionsTr", points)):
            (path,) = (raw / kind).glob("phantom_000*")
            os.link(path, target / path.name.replace("phantom_000", name))
    given = {"IMAGES": images, "POINTS": points, "OUTPUT": tmp_path / "out", "MODEL": "starter",
             "TASK": "", "INFER_ARGS": "--no-tta"}  # fmt: skip
    # one at a time: the second waits until it is cancelled
    first = submit("infer", SHARDS="2%1", **given)
    slurm("scancel", f"{first['infer']}_2")
    until("FAILED", first["gather"])
    assert jobs(first["gather"])["ExitCode"] == "1:0"
    log = (tmp_path / f"my results/slurm/gather-{first['gather']}.out").read_text(encoding="utf-8")
    done = {path.name.removesuffix(".nii.gz") for path in (tmp_path / "out").glob("*.nii.gz")}
    assert done and {*read(tmp_path / "out/failures.json")["infer"]} == {*names} - done
    assert "not segmented yet" in log

    again = submit("infer", SHARDS=2, **given)
    until("COMPLETED", f"{again['infer']}_1", f"{again['infer']}_2", again["gather"])
    with (tmp_path / "out/summary.csv").open(encoding="utf-8") as file:
        assert [row["case"] for row in csv.DictReader(file)] == names


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"SIF": "no.sif"}, "no.sif: no such image"),
        ({"TASK": ""}, "TASK is not set"),
        ({"TASK": "Task998_NO"}, "there is no folder"),
        ({"DATA": "a:b"}, "apptainer binds no path with a colon"),
        ({"FOLDS": "0-4"}, "FOLDS=0-4: expected a whole number"),
        ({"STAGES": "test infer"}, "infer is none of"),
        ({"words": "infer"}, "IMAGES is not set"),
        ({"words": "infer", "TASK": ""}, "neither TASK nor MODEL is set"),
        ({"words": "infer", "IMAGES": ".", "POINTS": ".", "OUTPUT": "o", "SHARDS": "1-4"}, "50%10"),
        ({"GRES": "gpu:1"}, "SLURM does not take the job for train"),
    ],
)
def test_refused_before_anything_waits(variables, said, submit, slurm):
    before = slurm("squeue", "--noheader")
    words = [variables["words"]] if "words" in variables else []
    assert said in submit(*words, **{name: variables[name] for name in variables if name.isupper()})
    assert slurm("squeue", "--noheader", "--states=pending,running") == before


def test_refused_without_slurm(submit, tmp_path):
    (tmp_path / "bash").symlink_to(shutil.which("bash"))
    assert "sbatch: not found on PATH" in submit(PATH=tmp_path)
