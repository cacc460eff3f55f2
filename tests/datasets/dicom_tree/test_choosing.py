"""Which series of a tree make a case, and what is said where that is not clear."""

import pytest

from interactivenet.datasets.dicom_tree.choosing import check_one_frame, choose_cases, unused_series
from interactivenet.datasets.dicom_tree.contents import read_tree
from interactivenet.datasets.dicom_tree.patterns import parse_patterns
from interactivenet.errors import DataError, RequestError
from tests.datasets.dicom_tree.written_trees import FRAME, uid_of, write_scan


def choose(root, *patterns, preferred=None):
    return choose_cases(read_tree(root), parse_patterns(patterns), preferred or {})


def chosen(choice):
    return {case.name: [series.file.series for series in case.series] for case in choice.cases}


def test_a_case_is_a_study_with_all_modalities(tmp_path):
    write_scan(tmp_path / "a", series=1)
    write_scan(tmp_path / "b", series=2, modality="MR")
    write_scan(tmp_path / "c", patient="P2", study=2, series=1)
    choice = choose(tmp_path, "MR", "CT")
    assert chosen(choice) == {"P1": [uid_of(1, 2), uid_of(1, 1)]}
    assert choice.left_out == {
        "P2": "has no series that matches MR; it has 1 (CT, 6 slices of 12x10)"
    }
    assert [str(p) for p, _ in unused_series(read_tree(tmp_path), choice.cases)] == [
        "P1", "P1", "P2",
    ]  # fmt: skip  # of another reading: none of its series is one of these
    assert choice.cases[0].reasons == ("only series that matches MR", "only series that matches CT")


def test_studies_of_a_patient_are_numbered_by_date(tmp_path):
    write_scan(tmp_path / "a", study=1, date="20210505")
    write_scan(tmp_path / "b", study=2, date="20200101")
    choice = choose(tmp_path, "CT")
    assert chosen(choice) == {"P1_1": [uid_of(2, 1)], "P1_2": [uid_of(1, 1)]}
    assert choice.cases[0].notes == ("study of 2020-01-01, 1 of 2 of this patient",)


def test_modalities_of_several_studies(tmp_path):
    write_scan(tmp_path / "a", study=1)
    write_scan(tmp_path / "b", study=2, modality="MR", date="20210101")
    choice = choose(tmp_path, "CT", "MR")
    assert chosen(choice) == {"P1": [uid_of(1, 1), uid_of(2, 1)]}
    assert choice.cases[0].notes == (
        "its modalities are of several studies: CT of the study of 2020-01-02, MR of the study of"
        " 2021-01-01",
    )
    write_scan(tmp_path / "c", study=3, modality="MR", date="20220101")
    choice = choose(tmp_path, "CT", "MR")
    assert not choice.cases
    assert "MR in 2 studies: study of 2021-01-01, study of 2022-01-01" in choice.left_out["P1"]


def test_an_incomplete_study_beside_a_case_is_said(tmp_path):
    write_scan(tmp_path / "a", study=1)
    write_scan(tmp_path / "b", study=1, series=2, modality="MR")
    write_scan(tmp_path / "c", study=2, date="20210101")
    choice = choose(tmp_path, "CT", "MR")
    assert list(chosen(choice)) == ["P1"]
    assert choice.notes == ["P1: study of 2021-01-01 is no case: has no series that matches MR"]


def test_of_several_series_one_must_be_named(tmp_path):
    thin = write_scan(tmp_path / "a", series=1, description="thin")
    thick = write_scan(tmp_path / "b", series=2, description="thick")
    choice = choose(tmp_path, "CT")
    assert not choice.cases
    reason = choice.left_out["P1"]
    assert "has 2 series that match CT: 1 'thin' (CT, 6 slices of 12x10), 2 'thick'" in reason
    assert "and nothing says which: choose one by its number" in reason
    assert (
        "more than one of them is referred to"
        in (choose(tmp_path, "CT", preferred={thin: "", thick: ""}).left_out["P1"])
    )
    choice = choose(tmp_path, "CT", preferred={thick: "the one that RS.dcm refers to"})
    assert chosen(choice) == {"P1": [thick]}
    assert choice.cases[0].reasons == ("of 2 that match CT, the one that RS.dcm refers to",)
    assert chosen(choose(tmp_path, "CT=thin")) == {"P1": [thin]}
    assert chosen(choose(tmp_path, "CT=2")) == {"P1": [thick]}


def test_a_series_is_one_modality_only(tmp_path):
    native = write_scan(tmp_path / "a", series=1, modality="MR", description="T1")
    contrast = write_scan(tmp_path / "b", series=2, modality="MR", description="T1 post")
    choice = choose(tmp_path, "T1=T1*", "T1C=*post")
    assert chosen(choice) == {"P1": [native, contrast]}
    assert choice.cases[0].reasons[0] == "only series left that matches T1=T1*"
    reason = choose(tmp_path, "T1=*post", "T1C=*post").left_out["P1"]
    assert "has one series, 2 'T1 post'" in reason and "that matches T1 and T1C" in reason


def test_patients_whose_names_would_be_one(tmp_path):
    write_scan(tmp_path / "a", patient="A/1")
    write_scan(tmp_path / "b", patient="a 1", study=2)
    write_scan(tmp_path / "c", patient="B", study=3)
    names = sorted(chosen(choose(tmp_path, "CT")))
    assert [name[:4] for name in names] == ["A_1-", "B", "a_1-"] and len(set(names)) == 3
    assert names == sorted(chosen(choose(tmp_path, "CT")))  # the same each time


def test_files_without_a_patient(tmp_path):
    write_scan(tmp_path / "a", patient="", study=4)
    choice = choose(tmp_path, "CT")
    assert list(chosen(choice)) == [uid_of(4, 0)[:-2]]
    assert choice.cases[0].notes == ("has no PatientID: named by its StudyInstanceUID",)


def test_broken_series_are_named(tmp_path):
    write_scan(tmp_path / "a")
    (tmp_path / "a" / "003.dcm").unlink()
    reason = choose(tmp_path, "CT").left_out["P1"]
    assert "CT, " in reason and "1 missing, 1 between a/002.dcm and a/004.dcm" in reason
    write_scan(tmp_path / "a")
    (tmp_path / "a" / "junk.dcm").write_bytes(b"nothing")
    assert "junk.dcm is no DICOM file" in choose(tmp_path, "CT").left_out["P1"]


def test_localisers_and_foreign_files_are_no_series(tmp_path):
    write_scan(tmp_path / "a", series=1)
    write_scan(tmp_path / "b", series=2, description="localizer")
    tree = read_tree(tmp_path)
    assert len(tree.others) == 1
    assert chosen(choose(tmp_path, "CT")) == {"P1": [uid_of(1, 1)]}
    with pytest.raises(RequestError, match="it holds no DICOM file"):
        (tmp_path / "empty").mkdir()
        read_tree(tmp_path / "empty")


def test_frames_of_reference_and_grids(tmp_path):
    write_scan(tmp_path / "a", series=1)
    write_scan(tmp_path / "b", series=2, modality="MR", spacing=(3.0, 2.5))
    patterns = parse_patterns(["CT", "MR"])
    (case,) = choose(tmp_path, "CT", "MR").cases
    with pytest.raises(DataError, match=r"different grids: CT has .* MR has .*`resample_to`"):
        check_one_frame(case, patterns, 0, resample=False, across_frames=False)
    grids, notes = check_one_frame(case, patterns, 1, resample=True, across_frames=False)
    assert grids[1].spacing == (2.5, 3.0, 2.5) and not notes
    for frame in (f"{FRAME}.1", None):
        write_scan(tmp_path / "b", series=2, modality="MR", frame=frame)
        (case,) = choose(tmp_path, "CT", "MR").cases
        with pytest.raises(DataError, match=r"several frames of reference, .*`across_frames=True`"):
            check_one_frame(case, patterns, 0, resample=True, across_frames=False)
        _, notes = check_one_frame(case, patterns, 0, resample=True, across_frames=True)
        assert f"CT ({FRAME}) and MR ({frame or 'none'}): taken for one" in notes[0]
