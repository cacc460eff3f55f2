"""An ensemble becomes one network: trained, interrupted, deployed, and used."""

import json
import shutil
import signal
from dataclasses import replace

import pytest
import torch

from interactivenet.cli.models_shown import listed_json, show_model
from interactivenet.datasets.roots import Roots
from interactivenet.datasets.task import Task
from interactivenet.errors import DataError, RequestError
from interactivenet.inference.predictor import Predictor
from interactivenet.models.bundle import read_bundle, write_bundle
from interactivenet.models.model import own_model
from interactivenet.models.network import load_network, save_weights
from interactivenet.models.task_model import model_of_task
from interactivenet.pipeline.deploy import deploy
from interactivenet.pipeline.distil import distil, distilled_model
from interactivenet.pipeline.student import StudentOptions
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.system.signals import Interrupted
from interactivenet.training.distillation import Teacher, every_case, soft_loss
from tests.pipeline.recording_reporter import RecordingReporter
from tests.training.trained_task import NAME, same, weights

QUICK = StudentOptions(epochs=2, device="cpu", precision="fp32", workers=0, deterministic=True)


def roots_of(trained, place):
    shutil.copytree(trained / "results", place / "results")
    return Roots(trained / "raw", trained / "processed", place / "results")


@pytest.fixture(scope="module")
def distilled(trained, tmp_path_factory):
    """A deployed student of two folds; not to be changed."""
    roots = roots_of(trained, tmp_path_factory.mktemp("distilled"))
    reporter = RecordingReporter()
    deployment = deploy(NAME, distil=QUICK, roots=roots, reporter=reporter)
    return roots, deployment, reporter


def test_the_bundle_is_one_network_and_says_of_whom(distilled):
    roots, deployment, reporter = distilled
    model, folds = read_bundle(deployment.folder), own_model(roots, NAME)
    assert len(model.weights) == 1 and model.distilled_from == folds.digests
    assert model.postprocessing == folds.postprocessing
    assert folds.calibrations and not model.calibrations  # learned of other networks
    content = json.loads((deployment.folder / "bundle.json").read_text(encoding="utf-8"))
    assert content["schema_version"] == 5
    card = (deployment.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "1, distilled from 2" in card and all(one[:12] in card for one in folds.digests)
    assert "These are the results of the networks that this one was distilled from" in card
    assert any("expects no Dice" in line for line in reporter.lines)
    assert [row["epoch"] for row in reporter.rows] == [1, 2]
    assert f"deployed, one network, distilled from {len(folds.weights)}, in" in model.name
    assert f"segment with it: `infer(task={NAME!r}, model='deployed')`" in reporter.lines
    record = json.loads((roots.results / NAME / "distilled" / "run.json").read_text())
    assert record["stage"] == "distil" and record["teacher"] == list(folds.digests)


def test_it_segments_and_expects_no_dice(distilled):
    roots, deployment, _ = distilled
    case = Task.load(roots.raw / NAME).test[0]
    found = Predictor(deployment.folder, device="cpu", precision="fp32").segment(case)
    assert found.objects[0].expected_dice is None


def test_it_has_seen_every_case_and_says_so(distilled):
    roots, _, _ = distilled
    facts = json.loads(
        (roots.results / NAME / "distilled" / "model_last.json").read_text(encoding="utf-8")
    )
    fold = every_case(PlannedTask.load(roots.processed / NAME), (0, 1))
    cases = {name.rpartition("__")[0] for name in fold.training}
    assert cases == {case.name for case in Task.load(roots.raw / NAME).training}
    assert facts["seen"] == sorted(fold.training_images)


def test_neither_it_nor_its_folds_are_taken_unasked(distilled):
    roots, deployment, _ = distilled
    with pytest.raises(RequestError, match="and the trained folds that it was distilled from in"):
        model_of_task(roots, NAME)
    assert model_of_task(roots, NAME, "deployed").weights[0].parent == deployment.folder


def test_a_list_of_models_says_whose_dice_it_shows(distilled, capsys):
    roots, _, _ = distilled
    (shown,) = json.loads(listed_json(roots.results / "models"))["installed"]
    assert shown["folds"] == 1 and len(shown["distilled_from"]) == 2
    show_model(roots.results / "models", NAME)
    said = " ".join(capsys.readouterr().out.split())
    assert "folds: 1, distilled from 2; Dice: " in said and "(of those 2)" in said


def test_again_it_is_left_as_it_is(distilled, tmp_path):
    roots, deployment, _ = distilled
    before = (deployment.folder / "bundle.json").read_bytes()
    again = deploy(NAME, distil=QUICK, roots=roots)
    assert not again.changed and (again.folder / "bundle.json").read_bytes() == before


def test_interrupted_it_goes_on_to_the_same_weights(distilled, trained, tmp_path):
    class Interrupting(RecordingReporter):
        def step(self, epoch, batch, batches):
            if (epoch, batch) == (1, 4):
                signal.raise_signal(signal.SIGTERM)

    roots = roots_of(trained, tmp_path)
    with pytest.raises(Interrupted):
        deploy(NAME, distil=QUICK, roots=roots, reporter=Interrupting())
    assert not (roots.results / "models" / NAME).exists()
    deploy(NAME, distil=QUICK, roots=roots)
    whole = distilled[0].results / NAME / "distilled"
    assert same(weights(roots.results / NAME / "distilled"), weights(whole))


def test_of_one_fold_nothing_is_distilled(trained, tmp_path):
    model = own_model(Roots(trained / "raw", trained / "processed", trained / "results"), NAME)
    with pytest.raises(RequestError, match="expected two trained folds or more"):
        Teacher(model.fold(0))
    roots = roots_of(trained, tmp_path)
    choice = roots.results / NAME / "postprocessing.json"
    assert not choice.exists()
    with pytest.raises(RequestError, match="expected two trained folds or more"):
        deploy(NAME, folds=[0], distil=QUICK, roots=roots)
    assert not choice.exists()  # nothing was chosen for that fold alone


def test_a_student_of_others_is_refused(distilled, trained):
    roots, _, _ = distilled
    model = own_model(roots, NAME).fold(1)
    with pytest.raises(DataError, match="was distilled from other networks"):
        distilled_model(model, roots.results / NAME / "distilled" / "model_last.safetensors")


def test_ensembles_are_written_as_before(distilled, tmp_path):
    roots, _, _ = distilled
    path = write_bundle(own_model(roots, NAME), tmp_path / "bundle")
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["schema_version"] == 2 and "distilled_from" not in content
    assert read_bundle(path.parent).distilled_from == ()


def test_the_loss_is_least_where_the_student_says_what_the_teacher_does():
    torch.manual_seed(0)
    target = torch.rand(2, 6, 6, 6)
    exact = torch.stack([(1 - target).log(), target.log()], 1)
    least = soft_loss(exact, target)
    for _ in range(20):
        assert soft_loss(exact + 0.3 * torch.randn_like(exact), target) > least
    scores = exact.clone().requires_grad_()
    soft_loss(scores, target).backward()
    assert scores.grad.abs().max() < 1e-3


def test_a_teacher_says_the_mean_of_its_networks(trained):
    model = own_model(Roots(trained / "raw", trained / "processed", trained / "results"), NAME)
    teacher = Teacher(model)
    image = torch.randn(1, model.plan.channels, *model.plan.sample_shape)
    with torch.no_grad():
        each = [network(image).softmax(1)[:, 1] for network in teacher._networks]
    assert torch.allclose(teacher.probability(image), torch.stack(each).mean(0), atol=1e-6)


def test_options_that_are_not_given_are_those_of_the_folds():
    made = StudentOptions(device="cpu").training({"epochs": 100, "steps": 7})
    assert (made.epochs, made.steps, made.device) == (20, 7, "cpu")
    made = StudentOptions(minutes=2.0).training({"epochs": 100})
    assert (made.epochs, made.minutes) == (None, 2.0)


def test_of_other_folds_it_is_distilled_anew(distilled, trained, tmp_path):
    before = distilled[0].results
    shutil.copytree(before, tmp_path / "results")
    roots = Roots(trained / "raw", trained / "processed", tmp_path / "results")
    model = own_model(roots, NAME)
    path = model.weights[0]
    facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    network, _ = load_network(path, model.plan)
    with torch.no_grad():
        next(network.parameters()).add_(0.01)
    save_weights(path, network, facts)  # trained again
    student, reporter = tmp_path / "results" / NAME / "distilled", RecordingReporter()
    changed = own_model(roots, NAME)
    again = distil(roots, changed, QUICK, reporter)
    assert (
        again.distilled_from
        == changed.digests
        != read_bundle(before / "models" / NAME).distilled_from
    )
    assert any(f"{student}: holds what was distilled" in line and "teacher" in line
               for line in reporter.lines)  # fmt: skip
    with pytest.raises(RequestError, match=r"remove .*distilled, to distil anew"):
        distil(roots, changed, replace(QUICK, epochs=1), reporter)
