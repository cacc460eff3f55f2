"""Trainings that start from another model: which weights are taken, and what is said of it."""

import shutil
from dataclasses import replace

import pytest
import torch

from interactivenet.datasets.roots import Roots
from interactivenet.errors import RequestError
from interactivenet.models.bundle import write_bundle
from interactivenet.models.finding import find_model
from interactivenet.models.model import Model
from interactivenet.models.network import build_network, load_network
from interactivenet.models.start_saw import StartSaw
from interactivenet.planning.plan import Encoding
from interactivenet.training.recipe import SPACING_GRID_FINE_TUNING
from interactivenet.training.starting import Start, read_start, start_saw, take_weights
from interactivenet.training.trainer import train_fold
from tests.random_model import make_bundle
from tests.sample_cases import NETWORK, UNCHANGED, make_plan
from tests.training.trained_task import QUICK, first_fold, rows, weights

FIRST = "input_block.conv1.conv.weight"


def plan_of(*modalities, **changes):
    more = {"modalities": modalities, "normalisation": (UNCHANGED,) * len(modalities)}
    return make_plan((1.0, 1.0, 1.0), **more, **changes)


def start_of(plan, seed=1):
    torch.manual_seed(seed)
    weights = build_network(plan.network, plan.channels).state_dict()
    return Start("Task900_OTHER", "fold_0.safetensors", "0" * 64, plan, weights)


def network_of(plan):
    torch.manual_seed(0)
    return build_network(plan.network, plan.channels)


def taken(plan, start):
    network = network_of(plan)
    transfer = take_weights(network, plan, start)
    return network.state_dict(), transfer


def test_all_of_the_same_network():
    plan = plan_of("MR")
    start = start_of(plan)
    state, transfer = taken(plan, start)
    assert all(torch.equal(state[name], value) for name, value in start.weights.items())
    count = len(state)
    assert transfer.describe(start) == (
        f"starting from Task900_OTHER (fold_0.safetensors): {count} of {count} weights taken"
    )


def test_channels_are_matched_by_the_names_of_modalities():
    plan, start = plan_of("PET", "MR", "CT"), start_of(plan_of("CT", "PET"))
    state, transfer = taken(plan, start)
    given, own = start.weights[FIRST], network_of(plan).state_dict()[FIRST]
    for channel, expected in enumerate((given[:, 1], own[:, 1], given[:, 0], given[:, 2])):
        assert torch.equal(state[FIRST][:, channel], expected)
    assert transfer.channels == ("MR",) and not transfer.left
    assert transfer.describe(start).endswith("weights taken; new: what is made of channel MR")


@pytest.mark.parametrize("name", ["any", "CT", "MR"])
def test_a_model_of_one_modality_gives_it_to_all(name):
    plan, start = plan_of("MR", "CT"), start_of(plan_of(name))
    state, _ = taken(plan, start)
    given = start.weights[FIRST]
    for channel in (0, 1):
        assert torch.equal(state[FIRST][:, channel], given[:, 0] / 2)
    assert torch.equal(state[FIRST][:, 2], given[:, 1])
    # on the same image twice, it sees what it saw
    image = torch.randn(1, 2, 16, 16, 16)
    double = torch.cat([image[:, :1], image], 1)
    before, after = (
        torch.nn.functional.conv3d(x, w) for x, w in ((image, given), (double, state[FIRST]))
    )
    assert torch.allclose(before, after, atol=1e-5)


def test_maps_are_matched_by_their_kind():
    geodesic = Encoding(extent=True)
    plan = plan_of("CT", encoding=geodesic)
    start = start_of(plan_of("CT", encoding=Encoding(kind="gaussian", extent=True)))
    state, transfer = taken(plan, start)
    own = network_of(plan).state_dict()[FIRST]
    assert torch.equal(state[FIRST][:, 1], own[:, 1])
    assert torch.equal(state[FIRST][:, 2], start.weights[FIRST][:, 2])
    assert transfer.channels == ("points",)
    _, transfer = taken(plan, start_of(plan_of("CT", encoding=Encoding())))
    assert transfer.channels == ("extent",)


def test_weights_of_other_shapes_stay_and_are_named():
    plan = plan_of("CT", network=replace(NETWORK, features=(8, 16, 24)))
    start = start_of(plan_of("CT"))
    state, transfer = taken(plan, start)
    own = network_of(plan).state_dict()
    left = {n for n, value in own.items() if value.shape != start.weights[n].shape}
    assert set(transfer.left) == left and left
    assert all(torch.equal(state[name], own[name]) for name in left)
    assert {*transfer.taken} | left == set(state)
    said = transfer.describe(start)
    assert f"{len(transfer.taken)} of {len(state)} weights" in said
    assert f"new: {transfer.left[0]}" in said and said.endswith(f" and {len(left) - 3} more")


def test_nothing_that_fits_is_an_error():
    plan = plan_of("CT", network=replace(NETWORK, features=(5, 6, 7)))
    start = start_of(plan_of("CT"))
    bias = "output_block.conv.conv.bias"  # of the two classes, which every network has
    start = replace(start, weights={n: w for n, w in start.weights.items() if n != bias})
    start = replace(start, weights={n: w for n, w in start.weights.items() if "heads" not in n})
    with pytest.raises(RequestError, match="no weights of Task900_OTHER fit the network of"):
        taken(plan, start)


def test_models_are_found_by_path_and_by_name(tmp_path, without_starter):
    roots = Roots(tmp_path, tmp_path, tmp_path / "results")
    with pytest.raises(
        RequestError, match=r"^`start='Task900_X'`: there is no model 'Task900_X': expected .*none"
    ):
        read_start("Task900_X", roots)
    folder = make_bundle(tmp_path / "made", plan_of("CT"))
    installed = roots.results / "models" / "Task900_X"
    installed.parent.mkdir(parents=True)
    folder.rename(installed)
    assert find_model("Task900_X", roots) == find_model(installed, roots) == installed
    with pytest.raises(RequestError, match=r"no model '\.\./x': expected .*Task900_X"):
        find_model("../x", roots)
    start = read_start("Task900_X", roots)
    assert start.name == "Task001_A" and start.file == "fold_0.safetensors"  # of two
    assert len(start.sha256) == 64 and len(start.weights) > 10


def test_a_zip_is_read_and_leaves_nothing(tmp_path):
    roots = Roots(tmp_path, tmp_path, tmp_path / "results")
    folder = make_bundle(tmp_path / "made", plan_of("CT"))
    path = shutil.make_archive(str(tmp_path / "model"), "zip", folder)
    assert read_start(path, roots).sha256 == read_start(folder, roots).sha256
    assert not list((roots.results / "models").glob("*"))


def test_a_training_starts_from_it_and_agrees_in_it(planned_task, tmp_path):
    fold, said = first_fold(planned_task), []
    start = start_of(fold.plan)
    settings = replace(QUICK, epochs=1, steps=1)
    train_fold(fold, tmp_path, settings, start=start, warn=said.append)
    assert said == [take_weights(network_of(fold.plan), fold.plan, start).describe(start)]
    # after one step at the warm-up's smallest rate, the weights are still the start's, nearly
    rate = float(rows(tmp_path)[0]["learning_rate"])
    assert rate == pytest.approx(SPACING_GRID_FINE_TUNING.rate / 100)
    trained = weights(tmp_path)
    apart = max(float((trained[n] - w).abs().max()) for n, w in start.weights.items())
    assert 0 < apart < 0.01
    with pytest.raises(RequestError, match=r"differs in start \(start \{.*\} instead of None\)"):
        train_fold(fold, tmp_path, replace(settings, epochs=2))
    other = replace(start, sha256="1" * 64)
    with pytest.raises(RequestError, match="differs in start"):
        train_fold(fold, tmp_path, replace(settings, epochs=2), start=other)
    again = train_fold(fold, tmp_path, replace(settings, epochs=2), start=start, warn=said.append)
    assert again.resumed == 1 and len(said) == 2 and "continuing after epoch 1" in said[1]


def test_what_does_not_fit_costs_nothing_that_is_there(planned_task, tmp_path):
    fold = first_fold(planned_task)
    (tmp_path / "model_best.safetensors").write_bytes(b"weights")
    start = replace(start_of(fold.plan), weights={})
    with pytest.raises(RequestError, match="no weights of Task900_OTHER fit"):
        train_fold(fold, tmp_path, QUICK, start=start, overwrite=True)
    assert (tmp_path / "model_best.safetensors").read_bytes() == b"weights"


def test_validation_cases_that_the_start_has_seen_are_counted(planned_task):
    fold, other = first_fold(planned_task), first_fold(planned_task, 1)
    start = start_of(fold.plan)
    assert start_saw(None, fold) is None and start_saw(start, fold) is None
    # the other fold trains on what this one validates, under whatever name
    seen = replace(start, seen=other.training_images | {"0" * 16})
    assert start_saw(seen, fold) == StartSaw("Task900_OTHER", 2, 2)
    assert start_saw(seen, other) is None
    some = replace(start, seen=fold.images[fold.cases[1]])
    assert start_saw(some, fold) == StartSaw("Task900_OTHER", 1, 2)
    assert start_saw(replace(start, seen=frozenset()), fold) is None


def test_a_start_of_the_same_task_that_does_not_say_what_it_saw(planned_task):
    fold, other = first_fold(planned_task), first_fold(planned_task, 1)
    start = start_of(fold.plan)
    start = replace(start, name=fold.plan.task)
    assert start_saw(start, fold) == StartSaw(fold.plan.task, None, 2)
    changed = replace(start, regions="0" * 64)  # trained before the task has changed
    assert start_saw(changed, fold) == StartSaw(fold.plan.task, None, 2)
    known = replace(start, regions=other.digest)
    assert start_saw(known, fold) == StartSaw(fold.plan.task, 2, 2)
    assert start_saw(known, other) is None
    assert start_saw(replace(known, name="Task900_OTHER"), fold) is None


def test_weights_say_what_they_and_their_start_have_seen_and_name_nobody(planned_task, tmp_path):
    fold = first_fold(planned_task)
    before = fold.images[fold.cases[0]] | {"ab" * 8}
    start = replace(start_of(fold.plan), seen=before)
    settings = replace(QUICK, epochs=1, steps=1)
    train_fold(fold, tmp_path, settings, start=start, warn=lambda line: None)
    for which in ("best", "last"):
        path = tmp_path / f"model_{which}.safetensors"
        _, facts = load_network(path, fold.plan)
        assert facts["seen"] == sorted(fold.training_images | before)
        assert facts["start_saw"] == {"model": "Task900_OTHER", "cases": 1, "of": 2}
        text = path.with_suffix(".json").read_text()
        assert not [case for case in fold.images if case in text]
    # what the weights have seen is no part of what a training must agree in
    train_fold(fold, tmp_path, replace(settings, epochs=2), start=replace(start, seen=None),
               warn=lambda line: None)  # fmt: skip
    _, facts = load_network(tmp_path / "model_last.safetensors", fold.plan)
    assert facts["seen"] == sorted(fold.training_images) and "start_saw" not in facts


def test_a_bundle_brings_what_its_first_file_of_weights_has_seen(planned_task, tmp_path):
    fold, roots = first_fold(planned_task), Roots(tmp_path, tmp_path, tmp_path / "results")
    train_fold(fold, tmp_path / "fold", replace(QUICK, epochs=1, steps=1))
    model = Model(fold.plan, (tmp_path / "fold" / "model_last.safetensors",), (0,), "last")
    for half in (False, True):
        write_bundle(model, tmp_path / f"bundle {half}", half=half)
        start = read_start(tmp_path / f"bundle {half}", roots)
        assert start.seen == fold.training_images and start.regions == fold.digest
    assert read_start(make_bundle(tmp_path / "old", fold.plan), roots).seen is None
