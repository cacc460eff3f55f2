"""What a case is made from, file by file, and as the record of many cases has it."""

from interactivenet.datasets.task import Case
from interactivenet.inference.case_keys import input_hashes, inputs_by_part
from interactivenet.system.files import sha256
from interactivenet.system.provenance import digest_of_files


def test_an_image_of_many_files_is_one_entry(tmp_path):
    series, points = tmp_path / "series", tmp_path / "points.json"
    for number in range(5):
        path = series / f"part_{number % 2}" / f"{number}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([number]))
    single = tmp_path / "single.nii.gz"
    single.write_bytes(b"image")
    points.write_bytes(b"points")
    case = Case("a", (series, single), interaction=points, more_interactions=(points,))
    hashes = input_hashes(case)
    assert len(hashes) == 5 + 3  # the key of a result has every file
    slices = {path.relative_to(series).as_posix(): sha256(path) for path in series.rglob("*.dcm")}
    assert inputs_by_part(hashes) == {
        "image 0": digest_of_files(slices), "image 1": sha256(single), "points": sha256(points),
        "points 2": sha256(points),
    }  # fmt: skip
    assert inputs_by_part(hashes)["image 0"]["files"] == 5


def test_a_folder_of_one_file_is_told_from_a_file(tmp_path):
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "only.dcm").write_bytes(b"slice")
    (entry,) = inputs_by_part(input_hashes(Case("a", (tmp_path / "series",)))).values()
    assert entry["files"] == 1
