"""A converted model answers as the original would, whatever way it comes."""

import json
import shutil
import sys
import zipfile

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from interactivenet.cli.models_convert import convert
from interactivenet.errors import DataError, RequestError
from interactivenet.inference.predictor import Predictor
from interactivenet.legacy import convert_model
from interactivenet.models.bundle import read_bundle
from interactivenet.planning.plan import Legacy, Normalisation
from interactivenet.postprocessing.components import Postprocessing
from interactivenet.system.files import sha256
from tests.legacy import original
from tests.legacy.published_model import CT, make_network, plans, write_published
from tests.legacy.test_sample import as_stored, case
from tests.sample_cases import stored_grid

NAME = "Task710_SHAPES"


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Write a model of networks with some seeds; return its folder and the networks."""

    def write(seeds=(0, 1), options=None, **more):
        networks = [make_network(seed, **(options or {})) for seed in seeds]
        return write_published(tmp_path / NAME, networks, monkeypatch, **more), networks

    return write


def predictor(bundle, **more):
    return Predictor(bundle, device="cpu", precision="fp32", **more)


@pytest.mark.parametrize(
    ("ct", "spacing", "order", "flips"),
    [
        (False, (1.0, 1.0, 2.0), (0, 1, 2), (1, 1, 1)),
        (True, (1.0, 1.0, 2.0), (2, 0, 1), (-1, 1, -1)),
        (False, (0.75, 0.75, 4.0), (1, 0, 2), (-1, -1, 1)),
        (True, (0.75, 0.75, 4.0), (1, 2, 0), (1, 1, -1)),
    ],
)
def test_it_answers_as_the_original(published, tmp_path, ct, spacing, order, flips):
    """Of scans whose spacing is the target's, voxel for voxel, also along other axes."""
    source = stored_grid((34, 40, 28), spacing, order, flips, (0.2, 0.1, -0.1))
    changes = {"Target spacing": list(source.spacing), **(CT if ct else {})}
    folder, networks = published(**changes)
    bundle = convert_model(folder, tmp_path / "bundle")
    scan = case(source, radii=np.array(source.ras.shape) // 6)
    image, voxels = as_stored(scan)
    content = plans(**changes)
    for mirrored in (True, False):
        how = {"mirrored": mirrored}
        expected, margin = original.segment(networks, image, voxels, source.spacing, content, **how)
        found = predictor(bundle, **how).segment(scan)
        label = source.from_ras(found.label)
        clear = margin > 5e-3  # probabilities are kept in half precision
        assert clear.mean() > 0.95 and expected.any()
        assert np.array_equal(label[clear] > 0, expected[clear])
    assert found.source is source


@pytest.mark.parametrize("spacing", [(1.3, 0.8, 1.7), (0.6, 0.6, 3.0)])
@pytest.mark.parametrize("grow", [False, True])
def test_probabilities_are_those_of_the_mean_logits(published, tmp_path, spacing, grow):
    source = stored_grid((38, 40, 22), spacing, (1, 0, 2), (-1, 1, -1))
    folder, networks = published()
    bundle = convert_model(folder, tmp_path / "bundle", grow=grow)
    scan = case(source, radii=(5, 5, 3))
    image, voxels = as_stored(scan)
    # the target, 2 mm along the last axis, has no coarse axis; 3 mm to 0.6 has one
    depth = (5, 5, 1 if max(spacing) / min(spacing) >= 3 else 5) if grow else (0, 0, 0)
    near = np.float32(source.spacing).astype(float)
    array, _, _ = original.sample(image, voxels, near, plans(), depth)
    made = predictor(bundle)
    prepared = made.prepare(scan)
    np.testing.assert_allclose(prepared.samples[0].array, array, atol=2e-4)
    expected = torch.from_numpy(original.logits(networks, array)).softmax(0)[1].numpy()
    (answer,) = made.answer(prepared)
    assert len(answer.probability) == 2
    for one in answer.probability:
        np.testing.assert_allclose(one, expected, atol=2e-3)
    np.testing.assert_array_equal(answer.probability[0], answer.probability[1])
    alone = Predictor(read_bundle(bundle).fold(1), device="cpu", precision="fp32")
    expected = torch.from_numpy(original.logits(networks[1:], array)).softmax(0)[1].numpy()
    np.testing.assert_allclose(alone.probability(prepared.samples[0]), expected, atol=2e-3)


def test_the_bundle_says_what_it_is(published, tmp_path):
    folder, _ = published(
        (0, 1, 2), postprocessings=["fillholes", "largestcomponent", "largestcomponent"], **CT
    )
    notes = []
    bundle = convert_model(
        folder, tmp_path / "bundle", label="lesion", modality="CTA", grow=True, note=notes.append
    )
    model = read_bundle(bundle)
    plan = model.plan
    assert plan.task == NAME and plan.modalities == ("CTA",) and dict(plan.labels) == {1: "lesion"}
    assert plan.legacy == Legacy(0.1, 8, True) and plan.preset == "legacy" and plan.seed == 1234
    assert plan.normalisation == (Normalisation("ct", -80.0, 160.0, 40.0, 55.0),)
    assert plan.encoding.kernel == "scan" and plan.encoding.iterations == 4
    assert plan.network.features == (4, 8, 16, 32) and plan.spacing == (1.0, 1.0, 2.0)
    assert plan.sample_shape == (32, 32, 16) and plan.batch_size == 1
    assert model.postprocessing == Postprocessing(component="largest")
    assert model.folds == (0, 1, 2) and model.checkpoint == "last" and not model.calibrations
    facts = predictor(bundle).facts
    paths = [folder / "model" / str(fold) / "data" / "model.pth" for fold in range(3)]
    assert [one["converted"] for one in facts] == [sha256(path) for path in paths]
    assert [one["fold"] for one in facts] == [0, 1, 2]
    assert "grown" in json.loads((bundle / "bundle.json").read_text())["description"]
    assert any("postprocessing differs" in one and "largest component (2)" in one for one in notes)
    assert all("\n" not in one for one in notes)


def test_postprocessing_of_equally_many_folds_is_the_simplest(published, tmp_path):
    folder, _ = published((0, 1), postprocessings=["fillholes_and_largestcomponent", "fillholes"])
    found = read_bundle(convert_model(folder, tmp_path / "bundle")).postprocessing
    assert found == Postprocessing(fill_holes=True)


def test_names_of_cases_are_not_carried_over(published, tmp_path):
    folder, _ = published()
    content = plans()
    content["Cases"] = [{"name": "patient_17"}]
    content["Plans"]["splits"] = [{"train": ["patient_17"], "val": []}]
    (folder / "plans.json").write_text(json.dumps(content))
    bundle = convert_model(folder, tmp_path / "bundle")
    assert all(b"patient_17" not in path.read_bytes() for path in bundle.iterdir())


def zipped(folder, path, inside):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, inside + file.relative_to(folder).as_posix())
    return path


def test_faults_in_a_zip_are_named_as_in_the_zip(published, tmp_path):
    folder, _ = published()
    (folder / "model/1/data/model.pth").write_bytes(b"x")
    path = zipped(folder, tmp_path / f"{NAME}.zip", "inside/")
    with pytest.raises(DataError, match=rf"^{path}/inside/model/1/data/model\.pth: is not a valid"):
        convert_model(path, tmp_path / "bundle")


@pytest.mark.parametrize("inside", ["", "anything/"])
def test_zips(published, tmp_path, inside):
    folder, _ = published()
    expected = read_bundle(convert_model(folder, tmp_path / "a"))
    path = zipped(folder, tmp_path / f"{NAME}.zip", inside)
    found = read_bundle(convert_model(path, tmp_path / "b"))
    assert found.plan == expected.plan and found.digests == expected.digests


def test_the_name_is_the_sources_or_given(published, tmp_path):
    folder, _ = published()
    other = folder.rename(tmp_path / "downloads")
    with pytest.raises(
        RequestError,
        match=r"downloads: its name cannot be used as a task name: .*give another name with `task`",
    ):
        convert_model(other, tmp_path / "bundle")
    with pytest.raises(RequestError, match="task name 'x'"):
        convert_model(other, tmp_path / "bundle", name="x")
    with pytest.raises(RequestError, match="label name"):
        convert_model(other, tmp_path / "bundle", name=NAME, label="a#b")
    bundle = convert_model(other, tmp_path / "bundle", name="Task001_A")
    assert read_bundle(bundle).plan.task == "Task001_A"
    with pytest.raises(RequestError, match="does not exist"):
        convert_model(tmp_path / "none", tmp_path / "x", name=NAME)


def spoil_json(file, *keys, value=None, drop=False):
    def spoil(folder):
        path = folder / file
        inner = content = json.loads(path.read_text())
        for key in keys[:-1]:
            inner = inner[key]
        if drop:
            del inner[keys[-1]]
        else:
            inner[keys[-1]] = value
        path.write_text(json.dumps(content))

    return spoil


def plan_with(section, key, value=None, drop=False):
    return spoil_json("plans.json", section, key, value=value, drop=drop)


SPOILED = [
    (plan_with("Fingerprint", "Clipping", drop=True), r"field Fingerprint\.Clipping is missing"),
    (plan_with("Fingerprint", "More", 1), r"field Fingerprint\.More is unknown"),
    (plan_with("Fingerprint", "Target spacing", [1, 1]), r"Target spacing\.2 is missing"),
    (plan_with("Fingerprint", "Target spacing", [1, 1, 0]), "spacing must be from"),
    (plan_with("Fingerprint", "CT", 1), r"field Fingerprint\.CT cannot be used"),
    (plan_with("Fingerprint", "CT", True), "CT is True, but Clipping is"),
    (plan_with("Fingerprint", "Resampling", "Mean"), r"field Fingerprint\.Resampling cannot"),
    (plan_with("Plans", "kernels", [[3, 3, 3]] * 2), "kernels and strides must have 3 to 10"),
    (plan_with("Plans", "divisible by", [8, 8, 8]), r"divisible by \(8, 8, 8\), but its strides"),
    (plan_with("Plans", "deep supervision", 3), "deep supervision is 3"),
    (plan_with("Plans", "padding", [0.1] * 3), r"field Plans\.padding cannot be used"),
    (plan_with("Plans", "padding", -0.1), "fraction must be from 0"),
    (plan_with("Plans", "seed", None), r"field Plans\.seed cannot be used"),
    (plan_with("Plans", "\x1b[31m", 1), r"field Plans\.\?\[31m is unknown"),
    (plan_with("Plans", "kernels", [[3, 3, 3]] * 4), "has shape"),
    (spoil_json("plans.json", "Plans", drop=True), "field Plans is missing"),
    (spoil_json("postprocessings.json", "1", drop=True), "lists the folds 0, but .* holds 0, 1"),
    (spoil_json("postprocessings.json", "one", value={}), r"one\.using_checkpoint is missing"),
    (spoil_json("postprocessings.json", "1", "postprocessing", value="erode"), "cannot be used"),
    (spoil_json("postprocessings.json", "1", "postprocessing", value=None), "cannot be used"),
    (lambda folder: (folder / "plans.json").write_text("{"), r"plans\.json: is not valid JSON"),
    (lambda folder: (folder / "plans.json").write_text("[" * 200_000), r"plans\.json: is n"),
    (lambda folder: (folder / "plans.json").write_text("9" * 5000), r"is not valid JSON"),
    (lambda folder: (folder / "plans.json").unlink(), "holds 0 models of the original program"),
    (lambda folder: (folder / "postprocessings.json").unlink(), "cannot be read"),
    (lambda folder: shutil.rmtree(folder / "model"), "holds no fold"),
    (lambda folder: (folder / "model" / "x").mkdir(), "holds 'x', expected a fold's number"),
    (lambda folder: (folder / "model/1/data/model.pth").unlink(), r"model\.pth: cannot be read"),
    (lambda folder: (folder / "model/1/data/model.pth").write_bytes(b"x"), "not a valid pickle"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "message"), SPOILED)
def test_what_is_not_understood_is_refused(published, tmp_path, spoil, message):
    folder, _ = published()
    spoil(folder)
    target = tmp_path / "models" / NAME
    with pytest.raises(DataError, match=message) as error:
        convert_model(folder, target)
    assert str(error.value).isprintable() and len(str(error.value)) < 500
    assert not target.exists() and not any(target.parent.glob("*"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"in_channels": 3}, r"input_block.*has shape \(4, 3, 3, 3, 1\), expected \(4, 2, "),
        ({"out_channels": 3}, "has shape"),
        ({"filters": [4, 8, 16, 32], "deep_supr_num": 2}, "which the network of its plans lacks"),
        ({"norm_name": "batch"}, "BatchNorm3d, expected a part of DynUNet"),
        ({"act_name": "prelu"}, "PReLU, expected a part of DynUNet"),
        ({"res_block": True}, "UnetResBlock, expected a part of DynUNet"),
        ({"act_name": ("leakyrelu", {"negative_slope": 0.2})}, r"has the slope 0\.2"),
    ],
)  # fmt: skip
def test_networks_of_another_kind_are_refused(published, tmp_path, options, message):
    folder, _ = published((0,), options)
    with pytest.raises(DataError, match=message):
        convert_model(folder, tmp_path / "bundle")


def test_folds_of_other_features_are_refused(tmp_path, monkeypatch):
    networks = [make_network(0), make_network(1, filters=[4, 8, 16, 24])]
    folder = write_published(tmp_path / NAME, networks, monkeypatch)
    with pytest.raises(DataError, match=r"1/data/model\.pth: its features \(4, 8, 16, 24\)"):
        convert_model(folder, tmp_path / "bundle")


def test_weights_that_are_not_finite_are_refused(published, tmp_path, monkeypatch):
    network = make_network()
    network.output_block.conv.conv.bias.data[0] = torch.nan
    folder = write_published(tmp_path / NAME, [network], monkeypatch)
    with pytest.raises(DataError, match="values that are not finite"):
        convert_model(folder, tmp_path / "bundle")


def test_the_command(published, tmp_path):
    folder, _ = published()
    before = set(sys.modules)

    def run(*options):
        return CliRunner().invoke(convert, [str(folder), "--results", str(tmp_path), *options])

    done = run("-l", "lesion", "-m", "T1", "--grow")
    assert done.exit_code == 0, done.output
    bundle = tmp_path / "models" / NAME
    assert str(bundle) in done.output and "no estimates of uncertainty" in done.output
    plan = read_bundle(bundle).plan
    assert plan.modalities == ("T1",) and dict(plan.labels) == {1: "lesion"} and plan.legacy.grow
    again = run()
    assert again.exit_code == 2 and "--overwrite replaces it" in again.output
    assert read_bundle(bundle).plan == plan
    over = run("--overwrite")
    assert over.exit_code == 0 and not read_bundle(bundle).plan.legacy.grow
    assert run("-t", "Task002_B").exit_code == 0 and (tmp_path / "models/Task002_B").is_dir()
    odd = run("-t", "B")
    assert odd.exit_code == 2 and "task name 'B'" in odd.output and "Traceback" not in odd.output
    assert not any(name.startswith("gone") for name in set(sys.modules) - before)
