"""Names that become paths: what may be one, however it is stored."""

import json
import pickle
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interactivenet.datasets.task import Case
from interactivenet.errors import DataError
from interactivenet.system.names import (
    LONGEST,
    SafeName,
    list_names,
    name_fault,
    printable,
    record_fault,
    safe_path,
)

#: what no file of ours may be called
HOSTILE = (
    "../../x", "/abs/x", "a/b", "a\\b", "..", ".", ".hidden", "", "  ", "a\0b", "a\nb", "a\x1b[31m",
    "a\x7f", "a\u2028b", "M\udcfcller", "x" * 300, "ü" * 100,
)  # fmt: skip
NORMAL = (
    "patient 1", "a.b.c", "Müller_01", "研究 7", "x-y_z", "CT (2)", "a..b", "O'Neill", "50 %",
    "a&b", "x" * (LONGEST - 12), "=1+1", "🫀", "run2",
)  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_refused_with_a_reason(name):
    assert name_fault(name)
    with pytest.raises(DataError, match="cannot be used as the name of files: it"):
        SafeName(name, "case")
    with pytest.raises(DataError, match="case '"):
        Case(name, (Path("a.nii.gz"),))


@pytest.mark.parametrize("name", NORMAL)
def test_normal_names_stay_what_they_are(name):
    assert SafeName(name) == name and Case(name, ()).name == name
    assert safe_path(f"./imagesTr/{name}_0000.nii.gz").name == f"{name}_0000.nii.gz"


@pytest.mark.parametrize("value", [None, True, 1.5, [], ["a"], {}, {"a": 1}])
def test_what_is_no_text_is_no_name(value):
    with pytest.raises(DataError, match="is not a name: expected text"):
        SafeName(value)
    with pytest.raises(DataError, match="is not a path: expected text"):
        safe_path(value)


@given(st.text(max_size=250))
def test_a_name_that_passes_stays_in_its_folder(text):
    try:
        name = SafeName(text)
    except DataError as error:
        assert str(error).isprintable()
        return
    folder = Path("/data/task")
    path = folder / f"{name}_0000.nii.gz"
    assert path.parent == folder and path.resolve() == path
    assert len(path.name.encode()) <= LONGEST and not path.name.startswith(".")
    assert unicodedata.is_normalized("NFC", name)
    assert pickle.loads(pickle.dumps(name)) == name and json.loads(json.dumps(name)) == name


@given(st.text(max_size=300))
def test_a_path_that_passes_stays_in_its_folder(text):
    try:
        path = safe_path(text)
    except DataError:
        return
    folder = Path("/data/task")
    assert (folder / path).resolve().is_relative_to(folder)


@given(st.text(alphabet="aäüéàÅ한가", min_size=1, max_size=20))
def test_both_ways_to_store_a_letter_are_one_name(text):
    composed, apart = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    assert SafeName(composed) == SafeName(apart) == composed


@pytest.mark.parametrize("path", ["/abs/x", "../x", "a/../../x", "", "a\0", "a/" + "x" * 256])
def test_paths_that_lead_elsewhere(path):
    with pytest.raises(DataError, match="cannot be used: "):
        safe_path(path, "field image")


def test_files_whose_names_look_the_same_are_told_apart():
    files = [Path(unicodedata.normalize(form, "Müller.nii")) for form in ("NFC", "NFD")]
    assert "NFC and NFD" in list_names(files)
    assert list_names([Path("a.nii"), Path("a.mha")]) == "a.nii, a.mha"


def test_any_name_can_be_printed():
    assert printable("M\udcfcller") == "M\\xfcller"
    assert printable("Müller") == "Müller" and printable("\ud800").encode()


@pytest.mark.parametrize("name", ["run", "failures", "Run", "FAILURES"])
def test_records_of_stages_keep_their_names(name):
    assert "would be lost" in record_fault(name)
    assert not record_fault("run_1") and not name_fault(name)
