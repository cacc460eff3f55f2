"""Tasks checked, imported and made from Python."""

import numpy as np
import pytest

from interactivenet.datasets.phantom import PhantomSettings
from interactivenet.datasets.roots import Roots
from interactivenet.datasets.task import Task
from interactivenet.errors import RequestError
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import write_label_array, write_volume
from interactivenet.pipeline.convert import convert_dataset
from interactivenet.pipeline.dataset import check_dataset, make_phantoms
from interactivenet.prompts.prompt import LabelNames
from tests.pipeline.recording_reporter import RecordingReporter, told
from tests.raw_task import GRID, SHAPE, image_array, label_array, read, write_case

NAME = "Task109_DATA"
TUMOUR = LabelNames({1: "tumour"})


@pytest.fixture
def roots(tmp_path):
    return Roots(tmp_path / "raw", tmp_path / "processed", tmp_path / "results")


@pytest.fixture
def source(tmp_path):
    """A plain folder of three labelled images, one of which has a label map on another grid."""
    folder = tmp_path / "source"
    for name in ("a", "b", "c"):
        write_volume(folder / "images" / f"{name}_0000.nii.gz", image_array(), GRID)
        write_label_array(folder / "labels" / f"{name}.nii.gz", label_array(), GRID)
    moved = Geometry(SHAPE, GRID.affine + np.array([[0, 0, 0, 5.0], [0] * 4, [0] * 4, [0] * 4]))
    write_label_array(folder / "labels" / "c.nii.gz", label_array(), moved)
    return folder


def test_check_returns_the_task_and_what_is_left_out(roots, capsys):
    write_case(roots.raw / NAME, "good")
    write_case(roots.raw / NAME, "bare", label=False)
    reporter = RecordingReporter()
    checked = check_dataset(
        NAME, modalities=["MR"], labels=TUMOUR, roots=roots, jobs=1, reporter=reporter
    )
    assert capsys.readouterr() == ("", "")
    assert checked.task == Task.load(roots.raw / NAME)
    assert [case.name for case in checked.task.training] == ["good"]
    assert list(checked.failures) == ["bare"]
    assert tuple(reporter.found) == checked.findings and reporter.tracked == ["checked"]
    assert "1 training case and 0 test cases" in reporter.lines[0]
    assert reporter.lines[1].startswith("1 case left out, see ")
    assert not [text for text in reporter.texts if "--" in text]
    again = check_dataset(NAME, roots=roots)  # modalities and labels are known now
    assert again.task == checked.task and again.failures == checked.failures


def test_what_is_not_known_must_be_given(roots):
    write_case(roots.raw / NAME, "good")
    with pytest.raises(RequestError, match=r"^`modalities`: .* has no dataset.json"):
        check_dataset(NAME, labels=TUMOUR, roots=roots)
    with pytest.raises(RequestError, match=r"^`labels`: .* has no dataset.json"):
        check_dataset(NAME, modalities=["MR"], roots=roots)
    with pytest.raises(RequestError, match=r"^`modalities`: 'MR' is given twice$"):
        check_dataset(NAME, modalities=["MR", "MR"], labels=TUMOUR, roots=roots)


def test_an_import_is_checked(roots, source):
    reporter = RecordingReporter()
    checked = convert_dataset(
        source, NAME, modalities=["MR"], labels=TUMOUR, roots=roots, reporter=reporter
    )
    assert [case.name for case in checked.task.training] == ["a", "b"]
    assert list(checked.failures) == ["c"]
    assert reporter.tracked == ["imported", "checked"]
    assert "3 cases -> " in reporter.lines[0]
    assert read(roots.raw / NAME / "failures.json")["dataset"] == told(checked.failures)


def test_merged_labels_have_one_name(roots, source):
    with pytest.raises(RequestError, match=r"^`merge_labels`: cannot be combined with `labels`"):
        convert_dataset(source, NAME, labels=TUMOUR, merge_labels="all", roots=roots)
    with pytest.raises(RequestError, match="does not name its modalities"):
        convert_dataset(source, NAME, merge_labels="all", roots=roots)
    with pytest.raises(RequestError, match=r"has 1 modality, 2 names were given: a, b$"):
        convert_dataset(source, NAME, modalities=["a", "b"], merge_labels="all", roots=roots)
    checked = convert_dataset(source, NAME, modalities=["MR"], merge_labels="all", roots=roots)
    assert checked.task.labels == LabelNames({1: "all"})


def test_phantoms_are_a_task(roots):
    settings = PhantomSettings(
        cases=2, test_cases=1, labels=("tumour", "node"), shape=(*SHAPE[:2], 18)
    )
    checked = make_phantoms(NAME, settings, roots=roots)
    assert len(checked.task.training) == 2 and len(checked.task.test) == 1
    assert checked.task.labels == LabelNames({1: "tumour", 2: "node"}) and not checked.failures
    with pytest.raises(RequestError, match="exists"):
        make_phantoms(NAME, settings, roots=roots)
