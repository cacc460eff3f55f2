"""A task's own model: its finished folds, with what cross-validation chose."""

import pytest

from interactivenet.datasets.roots import Roots
from interactivenet.datasets.splits import Split
from interactivenet.errors import DataError, RequestError
from interactivenet.models.fold_results import WEIGHTS, FoldResults
from interactivenet.models.model import own_model, parse_folds, read_choice
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.postprocessing.components import Postprocessing
from interactivenet.system.files import write_json
from tests.sample_cases import make_plan

NAME = "Task001_A"
PLAN = make_plan((1.0, 1.0, 1.0))
CHOICE = {
    "schema_version": 1, "plan": PLAN.digest, "checkpoint": "last", "folds": [0, 2],
    "postprocessing": {"fill_holes": True, "component": "largest"}, "uncertainty": {},
}  # fmt: skip


@pytest.fixture
def roots(tmp_path):
    """A task of three folds, of which 0 and 2 are trained to their end."""
    made = Roots(tmp_path / "raw", tmp_path / "processed", tmp_path / "results")
    splits = tuple(Split(("a",), (name,)) for name in "bcd")
    PlannedTask(made.processed / NAME, PLAN, splits).save()
    for number in (0, 1, 2):
        for checkpoint in WEIGHTS if number != 1 else ("best",):
            path = FoldResults(made.results / NAME, number).weights(checkpoint)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{checkpoint} {number}")
    return made


def choose(roots, **changes):
    write_json(roots.results / NAME / "postprocessing.json", CHOICE | changes)


def test_all_finished_folds_or_those_that_are_named(roots):
    model = own_model(roots, NAME)
    assert model.folds == (0, 2) and model.plan == PLAN
    assert [path.read_text() for path in model.weights] == ["best 0", "best 2"]
    assert own_model(roots, NAME, [2]).folds == (2,)
    assert model.fold(2).weights == (roots.results / NAME / "fold_2" / WEIGHTS["best"],)
    assert "own folds 0, 2" in model.name


def test_what_cross_validation_chose_is_used(roots):
    choose(roots)
    model = own_model(roots, NAME)
    assert [path.read_text() for path in model.weights] == ["last 0", "last 2"]
    assert model.postprocessing == Postprocessing(True, "largest")
    assert model.choices()["checkpoint"] == "last"
    without = own_model(roots, NAME, choice=False)
    assert without.checkpoint == "best" and without.postprocessing == Postprocessing()


def test_folds_that_are_not_finished_are_named(roots):
    with pytest.raises(RequestError, match=r"fold 1 is not .* finished: 0, 2: run `train\(.*=1\)"):
        own_model(roots, NAME, [0, 1])
    for number in (0, 2):
        FoldResults(roots.results / NAME, number).weights("last").unlink()
    with pytest.raises(RequestError, match=r"no trained fold: run `train\(.*fold='all'\)` first"):
        own_model(roots, NAME)
    with pytest.raises(RequestError, match="finished: none"):
        own_model(roots, NAME, [0])


def test_weights_of_another_plan_are_refused(roots):
    """A plan that was made again must not be bundled with what was trained before."""
    path = FoldResults(roots.results / NAME, 2).weights("best").with_suffix(".json")
    write_json(path, {"plan": PLAN.digest})
    assert own_model(roots, NAME).folds == (0, 2)
    write_json(path, {"plan": "0" * 64})
    with pytest.raises(RequestError, match=r"fold_2.*was trained with another plan"):
        own_model(roots, NAME)
    assert own_model(roots, NAME, [0]).folds == (0,)


def test_a_choice_for_another_plan_is_not_used(roots):
    choose(roots, plan="0" * 64)
    with pytest.raises(RequestError, match=r"another plan: run `select\(task='Task001_A'\)` again"):
        own_model(roots, NAME)
    assert own_model(roots, NAME, choice=False).folds == (0, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 7}, "schema_version is 7"),
        ({"checkpoint": "middle"}, "field checkpoint cannot be used"),
        ({"postprocessing": {"fill_holes": 3}}, "field fill_holes"),
        ({"uncertainty": {"mirrored": {}}}, "is missing"),
    ],
)
def test_a_damaged_choice_is_named(roots, changes, message):
    choose(roots, **changes)
    with pytest.raises(DataError, match=rf"postprocessing\.json: .*{message}"):
        read_choice(roots.results / NAME / "postprocessing.json")


def test_folds_as_they_are_typed():
    assert parse_folds(None) is None and parse_folds(" all ") is None
    assert parse_folds("2, 0,2") == [0, 2]
    for text in ("", "1,", "a", "-1", "٣"):
        with pytest.raises(RequestError, match=r"^`folds=.*expected 'all', or numbers"):
            parse_folds(text)
