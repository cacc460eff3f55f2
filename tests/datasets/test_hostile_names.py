"""Names and types that somebody else's files may hold: each file that is read refuses them."""

import copy
import json
import unicodedata

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from interactivenet.cli import main
from interactivenet.datasets.case_lists import read_subtypes
from interactivenet.datasets.conversion import import_cases
from interactivenet.datasets.formats import find_source
from interactivenet.datasets.simulated import simulated_files
from interactivenet.datasets.splits import read_groups
from interactivenet.datasets.task import Task, record_failures
from interactivenet.errors import DataError, InteractiveNetError, RequestError
from interactivenet.grand_challenge.inputs import find_inputs
from interactivenet.grand_challenge.settings import AlgorithmSettings
from interactivenet.imaging.io import write_label_array, write_volume
from interactivenet.models.bundle import read_bundle
from interactivenet.models.task_model import model_of_task
from interactivenet.pipeline.simulate import simulate_task
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.prompts.simulation import SimulationOptions
from tests.random_model import make_bundle
from tests.raw_task import GRID, image_array, label_array, read, write_case
from tests.sample_cases import make_plan
from tests.system.test_names import HOSTILE, NORMAL

#: in place of what is due
OTHERS = (None, True, 3, 1e300, 10**400, "x", "../../x", "\ud800", [], [[]], {}, {"a": []})
LISTED = {
    "case": "a", "image": ["./imagesTr/a_0000.nii.gz"], "label": "./labelsTr/a.nii.gz",
    "interaction": "./interactionsTr/a.json", "subtype": "one",
}  # fmt: skip
LIST = {
    "modality": {"0": "CT"}, "labels": {"0": "background", "1": "tumour"}, "training": [LISTED],
    "test": [{**LISTED, "case": "b"}],
}  # fmt: skip


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def places_of(content, at=()):
    """Yield the place of every field, the whole first."""
    yield at
    if isinstance(content, (dict, list)):
        items = content.items() if isinstance(content, dict) else enumerate(content)
        for key, value in items:
            yield from places_of(value, (*at, key))


def replaced(content, at, value):
    if not at:
        return value
    content = copy.deepcopy(content)
    inner = content
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return content


def assert_any_type_is_refused_or_used(path, content, use):
    """Whatever stands in a field: it is used, or refused in one line that names the file."""
    for at in list(places_of(content)):
        for other in OTHERS:
            write(path, replaced(content, at, other))
            try:
                use()
            except InteractiveNetError as error:
                assert path.name in str(error), (at, other, error)


@pytest.mark.parametrize("name", [name for name in HOSTILE if name])
@pytest.mark.parametrize("key", ["case", "image", "label", "interaction"])
def test_a_dataset_json_with_hostile_names(tmp_path, name, key):
    value = name if key == "case" else f"{name}/../x" if name[0] != "/" else name
    if key != "case" and ".." not in value and name[0] != "/":
        return
    write(tmp_path / "dataset.json", replaced(LIST, ("training", 0, key), value))
    with pytest.raises(DataError, match=rf"dataset\.json: field training\[0\]\.{key}"):
        Task.load(tmp_path)


@pytest.mark.parametrize("name", NORMAL)
def test_a_dataset_json_with_normal_names(tmp_path, name):
    write(tmp_path / "dataset.json", replaced(LIST, ("training", 0, "case"), name))
    assert Task.load(tmp_path).training[0].name == name


@given(name=st.text(max_size=220))
def test_cases_of_a_dataset_json_stay_in_their_folders(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("task")
    write(folder / "dataset.json", replaced(LIST, ("training", 0, "case"), name))
    try:
        case = Task.load(folder).training[0]
    except DataError:
        return
    path = folder / f"{case.name}.json"
    assert path.resolve().parent == folder.resolve() and len(path.name.encode()) <= 255


@pytest.mark.parametrize("command", ["plan", "dataset", "simulate"])
@pytest.mark.parametrize("name", ["../../victim", "/tmp/victim", "..", ".hidden"])
def test_nothing_is_written_for_a_strangers_list(tmp_path, command, name):
    task = tmp_path / "raw" / "Task001_A"
    write_case(task, "a", prompt=True)
    entry = {**LISTED, "case": name, "interaction": "./interactionsTr/a.nii.gz"}
    write(task / "dataset.json", {**LIST, "training": [entry], "test": []})
    before = sorted(path for path in tmp_path.rglob("*") if path.name != ".lock")
    words = [command, "-t", "Task001_A", "--raw", str(tmp_path / "raw")]
    if command == "plan":
        words += ["--processed", str(tmp_path / "processed")]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2 and "training[0].case" in done.output, done.output
    assert "unexpected" not in done.output
    assert sorted(path for path in tmp_path.rglob("*") if path.name != ".lock") == before


def test_other_types_in_dataset_json(tmp_path):
    path = tmp_path / "dataset.json"
    assert_any_type_is_refused_or_used(path, LIST, lambda: Task.load(tmp_path))
    write(path, LIST)
    task = Task.load(tmp_path)
    assert_any_type_is_refused_or_used(path, LIST, task.save)


def test_other_types_in_simulation_json_and_its_journal(tmp_path):
    record = {"file": "interactionsTr/a.json", "prompt": "0", "label": "0", "settings": {},
              "names": {"1": "a"}}  # fmt: skip
    content = {"settings": {}, "cases": {"Tr/a": record}}
    path = tmp_path / "simulation.json"
    assert_any_type_is_refused_or_used(path, content, lambda: simulated_files(tmp_path))
    path.unlink()
    write_label_array(tmp_path / "labelsTr" / "a.nii.gz", label_array(), GRID)
    journal = tmp_path / ".simulation.journal"
    for line in ('["Tr/a", 3]', "3", '["Tr/a", {"file": []}]', '[["Tr/a"], {}]',
                 '["Tr/a", {"file": "../../x", "prompt": ""}]', '["Tr/a", null]'):  # fmt: skip
        journal.write_text(f"\n{line}")
        with pytest.raises(DataError, match=r"\.simulation\.journal: (line 2|field of Tr/a in)"):
            list(simulate_task(tmp_path, SimulationOptions()))
    journal.write_bytes(b'\n["Tr/a", {"fi\xff')  # cut off by a kill
    assert [case.status for case in simulate_task(tmp_path, SimulationOptions())] == ["written"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_in_lists_of_cases(tmp_path, name):
    with pytest.raises(DataError, match=r"subtypes\.json: case "):
        read_subtypes(write(tmp_path / "subtypes.json", {name: "x"}))
    write(tmp_path / "groups.json", {name: "x"})
    with pytest.raises(DataError, match=r"groups\.json: case "):
        read_groups(tmp_path, [])


def test_other_types_in_lists_of_cases(tmp_path):
    path = tmp_path / "subtypes.json"
    assert_any_type_is_refused_or_used(path, {"a": "x"}, lambda: read_subtypes(path))
    path = tmp_path / "groups.json"
    assert_any_type_is_refused_or_used(path, {"a": "x"}, lambda: read_groups(tmp_path, ["a"]))
    path = tmp_path / "failures.json"
    content = {"dataset": {"a": "why"}}
    assert_any_type_is_refused_or_used(path, content, lambda: record_failures(tmp_path, "x", {}))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_plan_with_hostile_names(tmp_path, name):
    plan = make_plan((1.0, 1.0, 1.0)).as_json()
    content = {**plan, "splits": [{"training": ["a"], "validation": ["a"]}],
               "coverage": {"a__1": 1.0}}  # fmt: skip
    for at in (("plan", "task"), ("splits", 0, "training", 0), ("splits", 0, "validation", 0)):
        write(tmp_path / "plans.json", replaced(content, at, name))
        with pytest.raises(DataError, match=r"plans\.json: field"):
            PlannedTask.load(tmp_path)
    write(tmp_path / "plans.json", {**content, "coverage": {f"{name}__1": 1.0}})
    with pytest.raises(DataError, match=r"plans\.json: field coverage"):
        PlannedTask.load(tmp_path)


def test_other_types_in_plans_json(tmp_path):
    content = {**make_plan((1.0, 1.0, 1.0)).as_json(), "coverage": {"a__1": 1.0},
               "splits": [{"training": ["a"], "validation": ["a"], "left_out": ""}]}  # fmt: skip
    path = tmp_path / "plans.json"
    assert_any_type_is_refused_or_used(path, content, lambda: PlannedTask.load(tmp_path))


def test_a_bundle_with_a_hostile_task(tmp_path):
    bundle = make_bundle(tmp_path, make_plan((1.0, 1.0, 1.0)), folds=(0,))
    content = read(bundle / "bundle.json")
    for name in ("../../x", "Task001_" + "x" * 300):
        content["task"] = content["plan"]["task"] = name
        write(bundle / "bundle.json", content)
        with pytest.raises(DataError, match=r"bundle\.json: field plan .*task cannot be the name"):
            read_bundle(bundle)


@pytest.mark.parametrize("task", ["../../x", "Task001_" + "x" * 300, "Task001_A/..", ""])
def test_a_task_that_is_asked_for(tmp_path, task):
    from interactivenet.datasets.roots import Roots

    roots = Roots(tmp_path, tmp_path, tmp_path)
    for look in (roots.raw_task, roots.processed_task, lambda task: model_of_task(roots, task)):
        with pytest.raises(RequestError, match=r"expected TaskXXX_NAME"):
            look(task)


@pytest.mark.parametrize("name", [name for name in HOSTILE if "\udcfc" not in name])
def test_a_foreign_dataset_with_hostile_names(tmp_path, name):
    source = tmp_path / "Dataset001"
    write_volume(source / "x.nii.gz", image_array(), GRID)
    write_label_array(source / "y.nii.gz", label_array(), GRID)
    entry = {"images": ["x.nii.gz"], "label": "y.nii.gz"}
    content = {
        "channel_names": {"0": "CT"}, "labels": {"background": 0, "tumour": 1},
        "file_ending": ".nii.gz", "dataset": {"good": entry, name: entry},
    }  # fmt: skip
    write(source / "dataset.json", content)
    found = find_source(source)
    assert [case.name for case in found.cases] == ["good"] and len(found.left_out) == 1
    target = tmp_path / "raw" / "Task001_A"
    assert list(import_cases(found, target)) == ["good"]
    written = set(tmp_path.rglob("*.nii.gz")) - set(source.rglob("*"))
    assert {path.parent.parent for path in written} == {target}


def test_inputs_json_with_hostile_paths(tmp_path):
    write_volume(tmp_path / "images" / "ct" / "a.mha", image_array(), GRID)
    write(tmp_path / "points.json", {})

    def entries(slug, relative):
        kinds = ((slug, "Image", relative), ("points", "Value", "points.json"))
        keys = ("slug", "super_kind", "relative_path")
        return [{"interface": dict(zip(keys, kind, strict=True))} for kind in kinds]

    def use():
        find_inputs(tmp_path, ("CT",), AlgorithmSettings(images={"CT": "ct"}, points="points"))

    path = write(tmp_path / "inputs.json", entries("ct", "images/ct"))
    use()
    hostile = (("../ct", "images/ct"), ("ct", "../x"), ("ct", "/etc"), (".ct", "images/ct"))
    for slug, relative in hostile:
        write(path, entries(slug, relative))
        with pytest.raises(DataError, match=r"inputs\.json: (slug|has the relative_path) '"):
            use()


def test_cases_in_both_ways_of_storing_letters_are_one(tmp_path):
    composed, apart = (unicodedata.normalize(form, "Müller") for form in ("NFC", "NFD"))
    write(tmp_path / "dataset.json", replaced(LIST, ("training", 0, "case"), apart))
    assert Task.load(tmp_path).training[0].name == composed
    assert read_subtypes(write(tmp_path / "subtypes.json", {apart: "x"})) == {composed: "x"}
