"""Only whole bundles are installed, and nothing is overwritten unasked."""

import json
import shutil
import zipfile

import pytest

from interactivenet.errors import DataError, RequestError
from interactivenet.models import registry
from interactivenet.models.bundle import _digest
from interactivenet.models.registry import INSTALLED, SAME, install, local_models, remove
from tests.model_server import make_task_bundle, make_zip

NAME = "Task800_WORC_MRI"


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """Two models of one task: 'a' and 'b', folders and zips."""
    folder = tmp_path_factory.mktemp("bundles")
    for name, folds in (("a", (0, 2)), ("b", (1, 3))):
        made = make_task_bundle(folder / name / "Task001_A", folds)
        make_zip(made, folder / f"{name}.zip")
    return folder


@pytest.fixture
def models(tmp_path):
    return tmp_path / "results/models"


def tree(folder):
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


FILES = ["MODEL_CARD.md", "bundle.json", "fold_0.safetensors", "fold_2.safetensors"]


@pytest.mark.parametrize("kind", ["a.zip", "a", "a/Task001_A", "flat.zip"])
def test_zips_and_folders_are_installed(bundles, models, kind):
    source = bundles / kind
    if kind == "flat.zip":
        source = models.parent / kind
        source.parent.mkdir(parents=True)
        with zipfile.ZipFile(source, "w") as archive:
            for name, data in tree(bundles / "a/Task001_A").items():
                archive.writestr(name, data)
            archive.writestr("__MACOSX/._bundle.json", "junk")
    assert install(source, models, overwrite=False) == ("Task001_A", INSTALLED)
    assert sorted(tree(models)) == [f"Task001_A/{name}" for name in FILES]
    assert install(source, models, overwrite=False) == ("Task001_A", SAME)
    assert [path.name for path in models.iterdir()] == ["Task001_A"]


def test_another_model_is_not_overwritten(bundles, models):
    install(bundles / "a.zip", models, overwrite=False)
    before = tree(models)
    with pytest.raises(RequestError, match="is a different model: `overwrite=True` replaces it"):
        install(bundles / "b.zip", models, overwrite=False)
    assert tree(models) == before
    other = install(bundles / "b.zip", models, overwrite=False, name="Task002_B")
    assert other == ("Task002_B", INSTALLED)
    assert install(bundles / "b.zip", models, overwrite=True)[1] == INSTALLED
    assert tree(models / "Task001_A") == tree(models / "Task002_B") != before


def test_the_name_must_be_one(bundles, models):
    with pytest.raises(RequestError, match="expected TaskXXX_NAME"):
        install(bundles / "a.zip", models, overwrite=False, name="../x")


@pytest.fixture
def source(bundles, tmp_path):
    return shutil.copytree(bundles / "a/Task001_A", tmp_path / "source")


def spoil(folder, damage):
    if damage == "weights":
        data = bytearray((folder / "fold_2.safetensors").read_bytes())
        data[-1] ^= 1
        (folder / "fold_2.safetensors").write_bytes(data)
    elif damage == "missing":
        (folder / "fold_2.safetensors").unlink()
    elif damage == "more":
        (folder / "model.pt").write_text("x")
    elif damage == "folder":
        (folder / "inner").mkdir()
        (folder / "inner/x").write_text("x")
    elif damage == "no bundle":
        (folder / "bundle.json").unlink()
    elif damage == "task":
        path = folder / "bundle.json"
        content = json.loads(path.read_text().replace("Task001_A", "../../x"))
        path.write_text(json.dumps(content | {"digest": _digest(content)}))


SPOILED = {
    "weights": "fold_2.safetensors: was altered",
    "missing": "fold_2.safetensors: cannot be read",
    "more": "holds model.pt, which is not part of a bundle",
    "folder": "holds inner, which is not part of a bundle",
    "no bundle": "expected a model: bundle.json and weights",
    "task": "task cannot be the name of a folder: it has a '/'",
}


@pytest.mark.parametrize("damage", SPOILED)
@pytest.mark.parametrize("packed", [False, True])
def test_what_is_not_whole_is_not_installed(source, models, damage, packed):
    spoil(source, damage)
    path = make_zip(source, source.with_name("a.zip")) if packed else source
    if packed and damage == "folder":
        assert zipfile.ZipFile(path).namelist()[-1] == "source/inner/x"
    with pytest.raises(DataError, match=SPOILED[damage]) as caught:
        install(path, models, overwrite=True)
    assert str(caught.value).startswith(f"{path}: ") and list(models.iterdir()) == []
    assert not (models.parent / "x").exists()


def test_a_link_is_not_installed(source, models):
    card = source / "MODEL_CARD.md"
    card.unlink()
    card.symlink_to("/etc/hostname")
    with pytest.raises(DataError, match=r"MODEL_CARD\.md is a link"):
        install(source, models, overwrite=False)


def test_a_zip_that_is_none(models, tmp_path):
    (tmp_path / "a.zip").write_text("no")
    with pytest.raises(DataError, match=r"a\.zip: is not a complete zip"):
        install(tmp_path / "a.zip", models, overwrite=False)
    with pytest.raises(DataError, match=r"none\.zip: cannot be unzipped"):
        install(tmp_path / "none.zip", models, overwrite=False)
    assert list(models.iterdir()) == []


@pytest.fixture
def legacy(tmp_path):
    path = tmp_path / "Task800_WORC_MRI.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("plans.json", '{"Fingerprint": {}}')
        archive.writestr("fold_0/model.ckpt", "x")
    return path


def test_a_model_of_the_original_program(legacy, models, bundles):
    with pytest.raises(RequestError, match=r"`convert_model\(source='.*'\)` turns it into"):
        install(legacy, models, overwrite=False)
    assert list(models.iterdir()) == []
    asked = []

    def convert(source, target):
        asked.append((source.name, sorted(tree(source))))
        shutil.copytree(bundles / "a/Task001_A", target)

    done = install(legacy, models, overwrite=False, name=NAME, convert=convert)
    assert done == (NAME, INSTALLED)
    assert asked == [(NAME, ["fold_0/model.ckpt", "plans.json"])]
    assert [path.name for path in models.iterdir()] == [NAME]


def test_what_is_installed(bundles, models):
    assert local_models(models) == []
    for name in ("Task001_A", "Task002_B", "Task003_C", "Task004_D"):
        install(bundles / "a.zip", models, overwrite=False, name=name)
    (models / "Task002_B/fold_0.safetensors").unlink()
    (models / "Task003_C/bundle.json").write_text("{}")
    (models / "Task005_E").mkdir()
    (models / "Task005_E/plans.json").write_text('{"Fingerprint": 1}')
    (models / "Task006_F").mkdir()
    (models / ".downloads").mkdir()
    (models / "a.zip").write_text("x")
    # hashed are they only when they are used
    (models / "Task004_D/fold_0.safetensors").write_text("x")
    local = {model.name: model for model in local_models(models)}
    assert list(local) == [f"Task00{n}_{c}" for n, c in enumerate("ABCDEF", 1)]
    assert local["Task001_A"].description["modalities"] == ["CT"]
    assert local["Task001_A"].size == sum(map(len, tree(models / "Task001_A").values()))
    assert local["Task004_D"].description
    faults = {name: model.fault for name, model in local.items() if model.description is None}
    assert sorted(faults) == ["Task002_B", "Task003_C", "Task005_E", "Task006_F"]
    assert "fold_0.safetensors: is missing" in faults["Task002_B"]
    assert "schema_version is None" in faults["Task003_C"]
    assert "convert_model(source='Task005_E')" in faults["Task005_E"]
    assert "holds no bundle.json" in faults["Task006_F"]


def test_removing(bundles, models):
    install(bundles / "a.zip", models, overwrite=False)
    for name in ("Task009_X", "../models/Task001_A", "", ".", "..", ".downloads", "Task001_A/"):
        with pytest.raises(RequestError, match="installed: Task001_A"):
            remove(models, name)
    (models / "Task002_B").symlink_to(bundles / "a/Task001_A")
    remove(models, "Task002_B")
    remove(models, "Task001_A")
    assert list(models.iterdir()) == [] and (bundles / "a/Task001_A/bundle.json").exists()


def test_the_published_ones_can_be_named():
    assert list(registry.PUBLISHED) == [NAME, "Task801_WORC_CT"]
    assert all(isinstance(model.record, int) for model in registry.PUBLISHED.values())
    assert registry.DOWNLOADS.startswith(".")  # is no model
