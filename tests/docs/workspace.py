"""A folder in which the docs' snippets run: it has what they name, small."""

from __future__ import annotations

import shutil

import numpy as np
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.datasets.phantom import PhantomSettings, write_phantom_task
from interactivenet.planning.plan import Plan
from interactivenet.prompts.io import read_prompts, write_prompts
from interactivenet.prompts.prompt import LabelNames
from tests.random_model import make_bundle

TASK = "Task101_SARCOMA"


def make_workspace(folder):
    """Write a planned task, a model of random weights, a scan, its points and probabilities."""
    raw = folder / "data" / "raw" / TASK
    write_phantom_task(
        raw, PhantomSettings(cases=4, test_cases=1, shape=(28, 26, 16), spacing=(1.5, 1.5, 2.5))
    )
    run(folder, "simulate", "-t", TASK)
    run(folder, "dataset", "-t", TASK, "-m", "MR", "-l", "tumour")
    run(folder, "plan", "-t", TASK, "--preset", "tiny", "-f", "2", "--jobs", "1")
    plan = Plan.load(folder / "data" / "processed" / TASK / "plans.json")
    models = folder / "results" / "models"
    models.mkdir(parents=True)
    make_bundle(models / "made", plan).rename(models / TASK)
    shutil.rmtree(models / "made")
    shutil.copy(next((raw / "imagesTs").iterdir()), folder / "scan.nii.gz")
    prompts = read_prompts(next((raw / "interactionsTs").iterdir()), LabelNames({1: "tumour"}))
    write_prompts(folder / "points.mrk.json", prompts)
    np.savez(
        folder / "case.npz",
        shape=(8, 8, 4),
        probability_0=np.full((2, 3, 1), 0.5, np.float16),
        start_0=(1, 2, 3),
    )
    return folder


def run(folder, *words):
    """Run a command in the folder's own data and results."""
    given = {"raw": "data/raw", "processed": "data/processed", "results": "results"}
    env = {f"interactivenet_{name}": str(folder / path) for name, path in given.items()}
    done = CliRunner().invoke(main, list(words), env=env)
    assert done.exit_code == 0, done.output
