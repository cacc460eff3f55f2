"""A model of any modality: each image goes through the network by itself, and all are averaged."""

from dataclasses import replace

import numpy as np
import pytest

from interactivenet.datasets.task import Case
from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.io import write_volume
from interactivenet.imaging.volume import Volume
from interactivenet.inference.examination import examine
from interactivenet.inference.predictor import Predictor
from interactivenet.inference.rules import make_sample
from interactivenet.planning.fingerprint import measure_case
from interactivenet.planning.plan import Encoding, Normalisation
from interactivenet.planning.training_set import TrainingSet
from interactivenet.postprocessing.calibration import agreement
from interactivenet.prompts.io import write_prompts
from interactivenet.prompts.prompt import Prompt
from tests.inference.predictors import predictor, random_weights
from tests.random_model import make_model
from tests.sample_cases import make_plan, make_scan, stored_grid

GRID = stored_grid((24, 22, 20), (1.0, 1.2, 1.5), (2, 0, 1), (-1, 1, -1), (0.1, 0.0, 0.2))
PLAN = make_plan(
    (1.2, 1.2, 1.5), modalities=("any",), labels={1: "object"},
    normalisation=(Normalisation("zscore"),), encoding=Encoding(metric="gradient", extent=True),
)  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two random networks that have never seen an image."""
    folder = tmp_path_factory.mktemp("any")
    paths = [random_weights(folder / f"{seed}.safetensors", PLAN, seed) for seed in (0, 1)]
    return predictor(PLAN, *paths)


@pytest.fixture(scope="module")
def scans():
    """One object in two images."""
    return [make_scan(GRID, seed=seed) for seed in (0, 1)]


def together(scans):
    """One scan with the images of all."""
    array = np.concatenate([scan.image.stored for scan in scans])
    return replace(scans[0], image=Volume.from_stored(array, GRID), label=None)


def test_the_probabilities_of_the_images_are_averaged(made, scans):
    prompt = scans[0].prompts[0]
    samples = [make_sample(scan, prompt, PLAN) for scan in scans]
    both = make_sample(together(scans), prompt, PLAN)
    assert both.array.shape == (PLAN.channels, *both.grid.shape) and len(both.others) == 1
    for sample, array in zip(samples, (both.array, *both.others), strict=True):
        np.testing.assert_array_equal(sample.array, array)
        assert sample.others == () and sample.grid.is_same_lattice(both.grid)
    alone = [made.probability(sample) for sample in samples]
    assert np.abs(alone[0] - alone[1]).max() > 1e-3
    np.testing.assert_allclose(made.probability(both), (alone[0] + alone[1]) / 2, atol=1e-6)


def test_the_agreement_is_that_of_the_mean(made, scans):
    answers = [made.answer(made.prepare(scan))[0] for scan in (*scans, together(scans))]
    mean = (answers[0].probability + answers[1].probability) / 2
    np.testing.assert_allclose(answers[2].probability, mean, atol=1e-6)
    assert answers[2].agreement == pytest.approx([agreement(each) for each in mean], abs=1e-5)
    assert len(answers[2].single) == 2
    for part in ("agreement", "single"):
        assert getattr(answers[2], part) != getattr(answers[0], part)


def test_one_image_given_twice_is_as_one(made, scans):
    one, two = made.segment(scans[0]), made.segment(together([scans[0], scans[0]]))
    np.testing.assert_array_equal(one.label, two.label)
    assert one.objects[0].agreement == pytest.approx(two.objects[0].agreement)


def replaced(made, **more):
    """The same networks, used otherwise."""
    return Predictor(made.model, device="cpu", precision="fp32", **more)


def test_images_of_any_number_are_taken_and_of_another_grid_refused(made, scans, tmp_path):
    made = replaced(made, mirrored=False)
    paths = [tmp_path / f"{name}.nii.gz" for name in ("mr", "ct", "pet")]
    for path, seed in zip(paths, range(3), strict=True):
        write_volume(path, make_scan(GRID, seed=seed).image.array[0], GRID)
    points = scans[0].prompts[0].points
    for count in (1, 2, 3):
        prepared = made.open(paths[:count]).scan
        assert len(prepared.image.array) == count and made.segment(paths[:count], points).objects
    found = made.segment(Case("x", tuple(paths)), points)
    np.testing.assert_array_equal(found.label, made.segment(paths, points).label)
    other = stored_grid((20, 20, 20), (1.0, 1.0, 1.0))
    write_volume(paths[1], np.zeros((20, 20, 20), np.float32), other)
    with pytest.raises(DataError, match=r"ct\.nii\.gz"):
        made.open(paths)


def test_what_is_doubtful_is_told_of_each_image_and_no_modality_contradicts(scans, tmp_path):
    training = TrainingSet.of([measure_case(scan) for scan in scans], PLAN.modalities)
    model = make_model(tmp_path, PLAN, (0,), training=training)
    flat = Volume.from_stored(np.full((1, *GRID.shape), 7.0, np.float32), GRID)
    constant = replace(scans[1], image=flat)
    tags = ({"Modality": "MR"}, {"Modality": "CT"})
    array = np.concatenate([scans[0].image.stored, constant.image.stored])
    image = Volume.from_stored(array, GRID, tags=tags)
    scan = replace(scans[0], image=image, files=("mr.nii", "ct.nii"))
    found = examine(scan, model)
    assert found.image_notes == ("ct.nii: every voxel is 7",)
    assert found.unlike == (("any has one value only, 7, near the points",),)
    assert examine(scans[0], model).unlike == ((),)


def test_padding_of_a_ct_changes_nothing_and_is_told(made, scans):
    array = (300 * scans[0].image.stored).clip(-1000, 1000)
    array[:, :, :3] = -1024
    padded = np.where(array == -1024, -32768, array)

    def found(array, tag):
        tags = ({"Modality": tag},)
        return made.segment(
            replace(scans[0], image=Volume.from_stored(array, GRID, tags=tags), files=("ct.nii",))
        )

    plain, ct, mr = found(array, "CT"), found(padded, "CT"), found(padded, "MR")
    np.testing.assert_array_equal(ct.label, plain.label)
    assert not np.array_equal(mr.label, plain.label)
    said = f"ct.nii: taken for CT: its values from -32768 to {array.max():g} are clipped to"
    assert [note for note in ct.notes if note.startswith(said)]
    assert not any("taken for CT" in note for one in (plain, mr) for note in one.notes)


def test_objects_keep_the_names_that_their_points_have(made, scans, tmp_path):
    image = tmp_path / "scan.nii.gz"
    write_volume(image, scans[0].image.array[0], GRID)
    points = scans[0].prompts[0].points
    middle = points.mean(axis=0)
    prompts = [Prompt(7, points, "tumour"), Prompt(4, middle + (points - middle) / 2, "node")]
    write_prompts(tmp_path / "points.json", prompts)
    found = made.segment(image, tmp_path / "points.json")
    told = [(one.prompt.label, one.prompt.name) for one in found.objects]
    assert told == [(1, "tumour"), (2, "node")]
    assert set(np.unique(found.label)) <= {0, 1, 2}
    # a prompt says its own label, an array is of 'object'
    found = made.segment(image, prompts)
    assert [one.prompt.label for one in found.objects] == [7, 4]
    (one,) = made.segment(image, points).objects
    assert (one.prompt.label, one.prompt.name) == (1, "object")


def test_other_models_take_their_own_labels_only(scans, tmp_path):
    for changes in ({"labels": {1: "tumour"}}, {"modalities": ("MR",)}):
        plan = replace(PLAN, **changes)
        other = predictor(plan, random_weights(tmp_path / "w.safetensors", plan))
        with pytest.raises(RequestError, match="a prompt has label 7"):
            other.segment(scans[0], [Prompt(7, scans[0].prompts[0].points)])
