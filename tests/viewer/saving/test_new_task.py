"""A new task from nothing: opened, outlined by the starter, saved, and taken by every stage."""

import numpy as np
import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.datasets.phantom import PhantomSettings, write_phantom_task
from interactivenet.datasets.placing import place
from interactivenet.imaging.io import read_label
from interactivenet.inference.predictor import Predictor
from interactivenet.prompts.corrections import Correction
from interactivenet.prompts.prompt import LabelNames, Prompt
from interactivenet.prompts.simulation import simulate_prompts
from interactivenet.viewer.saving.saving import Provenance, Target, save_annotation
from interactivenet.viewer.worklist.worklist import Worklist
from tests.raw_task import read

NAME = "Task001_NEW"


@pytest.fixture(scope="module")
def starter():
    return Predictor("starter", device="cpu", mirrored=False)


def command(*words):
    done = CliRunner().invoke(main, list(map(str, words)))
    assert done.exit_code == 0, done.output
    return done.output


def outline(starter, entry, label):
    """Mark the objects of a label map in an open image, correct the first, and say what made it."""
    marked = simulate_prompts(read_label(label), labels=LabelNames({1: "tumour"}), key=entry.name)
    session = starter.open(list(entry.images), series=entry.series)
    clicked = Correction(tuple(marked[0].points[0].tolist()), True)
    prompts = [Prompt(prompt.label, prompt.points, prompt.name) for prompt in marked]
    prompts[0] = Prompt(prompts[0].label, prompts[0].points, prompts[0].name, (), (clicked,))
    result = session.segment(prompts)
    made_by = tuple("corrections" if prompt.corrections else "model" for prompt in prompts)
    return result, session.prompts, Provenance("starter", "0f", made_by, starter)


def test_from_phantoms_to_a_training(tmp_path, starter):
    settings = PhantomSettings(cases=4, test_cases=0)
    write_phantom_task(tmp_path / "phantoms", settings)
    task = tmp_path / "raw" / NAME
    for image in (tmp_path / "phantoms" / "imagesTr").iterdir():
        place(image, task / "imagesTr" / image.name, copy=False)
    worklist, outlines = Worklist([], task), {}
    for _ in range(3):
        entry = worklist.next()
        assert entry.status == "new"
        label = next((tmp_path / "phantoms" / "labelsTr").glob(f"{entry.case}.*"))
        outlines[entry.case] = outline(starter, entry, label)
        save_annotation(entry, *outlines[entry.case], Target(task=task))
    assert worklist.next().case not in outlines

    roots = ["--raw", tmp_path / "raw"]
    planned = [*roots, "--processed", tmp_path / "processed"]
    listed = command("dataset", "-t", NAME, *roots)
    assert "3 training cases" in listed and "is not outlined yet" in listed
    command("plan", "-t", NAME, "-f", "2", "--preset", "tiny", *planned)
    trained = command(
        "train", "-t", NAME, "-f", "0", "--from", "starter", "--minutes", "0.05", "--no-mlflow",
        "--workers", "0", *planned, "--results", tmp_path / "results",
    )  # fmt: skip
    assert "starting from" in trained
    assert (tmp_path / "results" / NAME / "fold_0" / "model_best.safetensors").exists()

    # the points and corrections alone give the same outline, to the voxel
    case, (result, _, _) = next(iter(outlines.items()))
    command(
        "infer", "--model", "starter", "--no-tta", "-i", task / "imagesTr" / f"{case}_0000.nii.gz",
        "-in", task / "interactionsTr" / f"{case}.json", "-o", tmp_path / "again",
    )  # fmt: skip
    again = tmp_path / "again" / f"{case}.nii.gz"
    assert np.array_equal(read_label(again).array[0], result.label)
    saved = read(task / "annotationsTr" / f"{case}.json")
    assert saved["objects"][0]["made_by"] == "corrections"
    # and infer's own record says the same of what they were made from
    assert saved["made_from"] == read(tmp_path / "again" / f"{case}.json")["made_from"]
