"""What a plan was made from, as its record names it."""

from interactivenet.datasets.task import Case, Task
from interactivenet.pipeline.planning_inputs import input_hashes
from interactivenet.pipeline.planning_steps import MeasuredCase
from interactivenet.preprocessing.preparation import file_hashes
from interactivenet.prompts.prompt import LabelNames
from interactivenet.system.files import sha256
from interactivenet.system.provenance import digest_of_files


def test_a_series_is_one_entry_and_a_file_is_itself(tmp_path):
    names = ["imagesTr/a_0000", "imagesTr/a_0000b.nii.gz", "labelsTr/a.nii.gz", "points/a.json"]
    folder, *single = [tmp_path / name for name in names]
    for path in (folder / "1.dcm", folder / "2.dcm", *single, tmp_path / "dataset.json"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(path.name.encode())
    case = Case("a", (folder, single[0]), single[1], single[2])
    task = Task("Task001_A", tmp_path, ("CT", "PT"), LabelNames({1: "a"}), (case,), ())
    noted = input_hashes(task, [MeasuredCase("a", file_hashes(task, case), {})])
    assert noted == {
        "dataset.json": sha256(tmp_path / "dataset.json"),
        names[0]: digest_of_files({path.name: sha256(path) for path in folder.iterdir()}),
        **{name: sha256(path) for name, path in zip(names[1:], single, strict=True)},
    }
