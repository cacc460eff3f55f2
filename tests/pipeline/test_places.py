"""Where ``infer`` and ``evaluate`` write: never over what somebody else has put there."""

import json
import shutil
import unicodedata

import pytest

from interactivenet.errors import RequestError
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import write_label_array, write_volume
from interactivenet.inference.options import InferenceOptions
from interactivenet.pipeline.evaluate import evaluate
from interactivenet.pipeline.infer import infer as run_infer
from tests.pipeline.recording_reporter import RecordingReporter as Recorder
from tests.pipeline.recording_reporter import told
from tests.random_model import make_bundle
from tests.raw_task import GRID, POINTS, image_array, label_array, read, write_case, write_points
from tests.sample_cases import make_plan

QUICK = InferenceOptions(mirrored=False, device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    plan = make_plan((1.0, 1.1, 2.0), labels={1: "tumour"})
    return make_bundle(tmp_path_factory.mktemp("model"), plan, folds=(0,))


@pytest.fixture
def infer(bundle, tmp_path):
    def run(images, points=None, output="out", **more):
        more = {"options": QUICK, "model": bundle, **more}
        return run_infer("Task001_A", images, points or images, tmp_path / output, **more)

    return run


def new_case(folder, name="scan", seed=0):
    """An image, and its points in a folder of their own."""
    path, points = folder / "images" / f"{name}.nii.gz", folder / "points" / f"{name}.json"
    write_volume(path, image_array(seed), GRID)
    write_points(points, POINTS)
    return path, points


def folders_of(folder):
    return folder / "images", folder / "points"


def content_of(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("place", ["labelsTs", "imagesTr/deep", ".", "results", "interactionsTs"])
def test_no_results_in_a_raw_task(infer, tmp_path, place):
    task = tmp_path / "raw" / "Task001_A"
    write_case(task, "scan", subset="Ts")
    before = content_of(task)
    case = new_case(tmp_path / "new")
    with pytest.raises(RequestError, match=r"`output=.*is inside the raw task .*Task001_A"):
        infer(*case, output=f"raw/Task001_A/{place}", overwrite=True)
    found = tmp_path / "found"
    shutil.copytree(task / "labelsTs", found)
    with pytest.raises(RequestError, match="is inside the raw task"):
        evaluate(found, task / "labelsTs", output=task / place)
    assert content_of(task) == before


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "name", ["scan.json", "scan.nii.gz", "scan.npz", "objects/scan.nii.gz", "run.json",
             "failures.json", "evaluation/report.html", "evaluation/metrics.json",
             "evaluation/figures/cases/scan.png"],
)  # fmt: skip
def test_files_of_a_person_are_named_and_stay(infer, tmp_path, name, overwrite):
    case = new_case(tmp_path / "new")
    label = tmp_path / "label.nii.gz"
    write_label_array(label, label_array(), GRID)
    mine = tmp_path / "out" / name
    mine.parent.mkdir(parents=True)
    mine.write_text('{"points": []}' if name.endswith("json") else "mine")
    before = content_of(tmp_path / "out")
    with pytest.raises(RequestError, match=f"{name}: was not written by"):
        infer(*case, labels=label, overwrite=overwrite)
    assert content_of(tmp_path / "out") == before


def test_a_result_that_was_corrected_by_hand_stays(infer, tmp_path):
    image, points = new_case(tmp_path / "new")
    assert not infer(image, points).failures
    result = tmp_path / "out" / "scan.nii.gz"
    result.write_bytes(b"corrected")
    assert not infer(image, points).failures  # done: not touched
    done = infer(image, points, overwrite=True)
    assert "scan.nii.gz: was changed since this program wrote it" in done.failures["scan"]
    write_volume(image, image_array(3), GRID)
    assert "was changed since" in infer(image, points).failures["scan"]
    assert result.read_bytes() == b"corrected" and (tmp_path / "out" / "scan.json").exists()


def test_a_run_that_was_killed_goes_on(infer, tmp_path):
    """Files without their final record are ours where the record says that they were begun."""
    case = new_case(tmp_path / "new")
    infer(*case)
    record = tmp_path / "out" / "scan.json"
    files = {"scan.nii.gz": "", "pictures/scan.png": ""}
    begun = {"case": "scan", "unfinished": True, "files": files}
    record.write_text(json.dumps(begun))
    (tmp_path / "out" / "scan.nii.gz").write_bytes(b"half")
    assert not infer(*case).failures
    assert "unfinished" not in read(record) and len(read(record)["files"]["scan.nii.gz"]) == 64


def test_records_of_earlier_versions_still_count(infer, tmp_path):
    case = new_case(tmp_path / "new")
    infer(*case)
    record = tmp_path / "out" / "scan.json"
    content = read(record)
    del content["files"], content["sources"]
    record.write_text(json.dumps(content))
    assert not infer(*case, overwrite=True).failures
    assert read(record)["files"]


def test_another_format_takes_the_place_of_an_outdated_result(infer, tmp_path):
    image, points = new_case(tmp_path / "new")
    infer(image, points)
    infer(image, points, format="mha")
    both = {"scan.nii.gz", "scan.mha", "pictures/scan.png"}
    assert set(read(tmp_path / "out" / "scan.json")["files"]) == both
    write_volume(image, image_array(3), GRID)
    infer(image, points, format="mha")
    assert not (tmp_path / "out" / "scan.nii.gz").exists()


def test_two_scans_of_one_name(infer, tmp_path):
    first, second = (new_case(tmp_path / place, "SE1", seed) for seed, place in enumerate("xy"))
    infer(*first)
    before = content_of(tmp_path / "out")
    done = infer(*second)
    for path in (first[0], second[0]):
        assert str(path) in done.failures["SE1"], done.failures
    after = content_of(tmp_path / "out")
    assert all(after[path] == data for path, data in before.items()
               if path.stem not in ("run", "report", "summary", "sheet_001"))  # fmt: skip
    reporter = Recorder()
    assert not infer(*second, overwrite=True, reporter=reporter).failures
    assert any(str(first[0]) in line and "replaced" in line for line in reporter.lines)
    assert read(tmp_path / "out" / "run.json")["replaced"] == {"SE1": str(first[0])}
    record = read(tmp_path / "out" / "SE1.json")
    assert record["sources"] == {
        "images": [str(second[0])], "points": str(second[1]), "series": []
    }  # fmt: skip


def test_the_same_scan_again(infer, tmp_path):
    """Changed in its place, or moved: the same scan; moved and changed: another one."""
    image, points = new_case(tmp_path / "x", "SE1")
    infer(image, points)
    write_volume(image, image_array(1), GRID)
    assert not infer(image, points).failures
    moved = (tmp_path / "x").rename(tmp_path / "moved")
    image, points = moved / "images" / image.name, moved / "points" / points.name
    assert not infer(image, points).failures
    write_points(points, [*POINTS[:-1], [9, 8, 9]])
    assert not infer(image, points).failures
    elsewhere = new_case(tmp_path / "z", "SE1", 4)
    assert "another scan" in infer(*elsewhere).failures["SE1"]


def test_names_that_are_not_utf8_cost_their_own_case(infer, tmp_path):
    folder = tmp_path / "new"
    odd = []
    for path in new_case(folder, "good"):
        odd.append(path.with_name(f"M\udcfcller{''.join(path.suffixes)}"))
        shutil.copy(path, odd[-1])
    done = infer(*folders_of(folder))
    assert list(done.failures) == ["M\\xfcller"] and "not UTF-8" in done.failures["M\\xfcller"]
    assert read(tmp_path / "out" / "failures.json")["infer"] == done.failures
    assert (tmp_path / "out" / "good.nii.gz").exists()
    assert list(infer(*odd, output="one").failures) == ["M\\xfcller"]


def test_a_folder_whose_name_is_not_utf8(infer, tmp_path):
    folder = tmp_path / "f\udcfc"
    case = new_case(folder)
    assert not infer(*case, output=folder / "out").failures
    assert read(folder / "out" / "scan.json")["sources"]["images"] == [str(case[0])]


def test_letters_stored_in_both_ways(infer, tmp_path):
    composed, apart = (unicodedata.normalize(form, "Müller") for form in ("NFC", "NFD"))
    image, points = new_case(tmp_path / "new", composed)
    points.rename(points.with_name(f"{apart}.json"))
    assert not infer(*folders_of(tmp_path / "new")).failures
    assert (tmp_path / "out" / f"{composed}.nii.gz").exists()
    shutil.copy(image, image.with_name(f"{apart}.nii.gz"))
    done = infer(*folders_of(tmp_path / "new"))
    assert "NFC and NFD" in done.failures[composed]


def test_cases_called_as_records_of_the_stage(infer, tmp_path):
    for name in ("run", "failures", "good"):
        new_case(tmp_path / "new", name)
    done = infer(*folders_of(tmp_path / "new"))
    assert set(done.failures) == {"run", "failures"}
    assert all("rename it" in reason for reason in done.failures.values())
    assert read(tmp_path / "out" / "run.json")["stage"] == "infer"
    image, points = new_case(tmp_path / "new", "run")
    assert set(infer(image, points, output="one").failures) == {"run"}


def test_a_wrong_label_of_a_finished_case_has_a_reason(infer, tmp_path):
    case = new_case(tmp_path / "new")
    infer(*case)
    label = tmp_path / "label.nii.gz"
    elsewhere = GRID.affine.copy()
    elsewhere[2, 3] += 0.5
    write_label_array(label, label_array(), Geometry(GRID.shape, elsewhere))
    reporter = Recorder()
    done = infer(*case, labels=label, reporter=reporter)
    assert "grid differs" in done.failures["scan"]
    assert read(tmp_path / "out" / "failures.json")["infer"] == told(done.failures)
    assert any("grid differs" in finding.message for finding in reporter.found)
    assert read(tmp_path / "out" / "run.json")["failures"] == told(done.failures)


@pytest.mark.parametrize("place", ["output", "images", "labels", "interactions"])
def test_links_in_a_circle_are_named(infer, tmp_path, place):
    image, points = new_case(tmp_path / "new")
    (tmp_path / "loop").symlink_to("loop")
    given = {"images": image, "points": points, "labels": None, "output": "out"}
    given["points" if place == "interactions" else place] = tmp_path / "loop"
    with pytest.raises(Exception, match=r"loop: (does not exist|is a link that leads back)"):
        infer(given["images"], given["points"], given["output"], labels=given["labels"])


def test_an_evaluation_keeps_what_a_person_put_there(tmp_path):
    for folder in ("found", "labels"):
        write_label_array(tmp_path / folder / "a.nii.gz", label_array(), GRID)
    out = tmp_path / "out"
    (out / "figures").mkdir(parents=True)
    (out / "figures" / "mine.png").write_text("mine")
    for _ in range(2):
        evaluate(tmp_path / "found", tmp_path / "labels", output=out, pictures=False)
    assert (out / "figures" / "mine.png").read_text() == "mine"
    noted = read(out / "metrics.json")["files"]
    assert {"metrics.csv", "report.html"} <= set(noted) and "figures/mine.png" not in noted
    (out / "report.html").write_text("annotated")
    with pytest.raises(RequestError, match=r"report\.html: was changed since"):
        evaluate(tmp_path / "found", tmp_path / "labels", output=out)
    assert (out / "report.html").read_text(encoding="utf-8") == "annotated"


def test_the_cause_is_named_where_two_files_claim_a_case(tmp_path):
    for name in ("found/a.nii.gz", "found/a.mha", "labels/a.nii.gz"):
        write_label_array(tmp_path / name, label_array(), GRID)
    with pytest.raises(RequestError, match=r"a has 2 prediction files, expected one: a\.mha, a\.n"):
        evaluate(tmp_path / "found", tmp_path / "labels")
    (tmp_path / "found" / "a.mha").unlink()
    for name in ("a.nii.gz", "a_0000.nii.gz"):
        write_volume(tmp_path / "images" / name, image_array(), GRID)
    with pytest.raises(RequestError, match="has 2 image files"):
        evaluate(tmp_path / "found", tmp_path / "labels", images=tmp_path / "images")


def test_a_label_that_cannot_be_compared_costs_no_segmentation(infer, tmp_path):
    image, points = new_case(tmp_path / "new")
    label = tmp_path / "label.nii.gz"
    write_volume(label, label_array() * 0.5, GRID)
    done = infer(image, points, labels=label)
    assert "not whole numbers" in done.failures["scan"] and list(tmp_path.rglob("scan.nii.gz"))
    write_label_array(label, label_array() * 7, GRID)
    done = infer(image, points, labels=label)
    assert "holds label value 7, expected 1=tumour" in done.failures["scan"]


def test_what_is_doubtful_about_a_scan_is_told_once(infer, tmp_path):
    """Its label may have the same name."""
    image, points = new_case(tmp_path / "new")
    write_volume(image, image_array() * 0, GRID)
    label = tmp_path / "labels" / image.name
    write_volume(label, label_array().astype("float32"), GRID)
    reporter = Recorder()
    infer(image, points, labels=label, reporter=reporter)
    notes = [finding.message for finding in reporter.found]
    assert notes.count(f"{image.name}: every voxel is 0") == 1
    assert any("labels are stored as float32" in note for note in notes)
