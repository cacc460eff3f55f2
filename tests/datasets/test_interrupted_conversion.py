"""Imports that were stopped, killed or done before: gone on with, checked again, or begun anew."""

import json

from interactivenet.datasets.conversion import import_cases
from interactivenet.datasets.formats import find_source
from tests.datasets.other_datasets import NAME, convert, decathlon, plain, snapshot
from tests.raw_task import read


def test_a_stopped_import_leaves_no_task_and_goes_on(tmp_path):
    source = find_source(decathlon(tmp_path / "Task01", channels=0))
    run = import_cases(source, tmp_path / "raw" / NAME)
    next(run)
    run.close()
    assert not (tmp_path / "raw" / NAME).exists()
    assert convert(source.folder, tmp_path / "raw").exit_code == 0
    assert [path.name for path in (tmp_path / "raw").iterdir()] == [NAME]


def test_an_import_that_is_done_is_only_checked_again(tmp_path):
    source = decathlon(tmp_path / "Task01", channels=0)
    assert convert(source, tmp_path / "raw").exit_code == 0
    before = snapshot(tmp_path / "raw")
    again = convert(source, tmp_path / "raw")
    assert again.exit_code == 0 and "is already imported" in again.stdout
    files = snapshot(tmp_path / "raw")
    assert {name: data for name, (data, _) in files.items()} == {
        name: data for name, (data, _) in before.items()
    }


def test_an_import_killed_before_its_check_goes_on(tmp_path):
    source = decathlon(tmp_path / "Task01", channels=0)
    assert convert(source, tmp_path / "raw").exit_code == 0
    (tmp_path / "raw" / NAME / "dataset.json").unlink()
    assert convert(source, tmp_path / "raw").exit_code == 0
    assert (tmp_path / "raw" / NAME / "dataset.json").exists()


def test_an_import_begun_from_other_files_is_begun_anew(tmp_path):
    source = decathlon(tmp_path / "Task01", channels=0)
    run = import_cases(find_source(source), tmp_path / "raw" / NAME)
    next(run)
    run.close()
    (source / "imagesTr/brain_01.nii.gz").rename(source / "imagesTr/brain_09.nii.gz")
    (source / "labelsTr/brain_01.nii.gz").rename(source / "labelsTr/brain_09.nii.gz")
    text = (source / "dataset.json").read_text().replace("brain_01", "brain_09")
    (source / "dataset.json").write_text(text)
    assert convert(source, tmp_path / "raw").exit_code == 0
    training = read(tmp_path / "raw" / NAME / "dataset.json")["training"]
    assert [case["case"] for case in training] == ["brain_02", "brain_09"]
    assert [path.name for path in (tmp_path / "raw").iterdir()] == [NAME]


def test_some_of_the_cases_and_others_of_them_to_test(tmp_path):
    source = plain(tmp_path / "plain", 9)
    words = ["-m", "MR", "-l", "a", "-l", "b", "--cases", "4", "--test-cases", "2"]
    done = convert(source, tmp_path / "raw", *words)
    assert done.exit_code == 0, done.output

    def drawn(raw):
        content = json.loads((raw / NAME / "dataset.json").read_text())
        return [{entry["case"] for entry in content[part]} for part in ("training", "test")]

    training, test = drawn(tmp_path / "raw")
    assert (len(training), len(test)) == (4, 2) and not training & test
    again = convert(source, tmp_path / "raw", *words)
    assert again.exit_code == 0 and "already imported" in again.output
    assert convert(source, tmp_path / "other", *words, "--seed", "1").exit_code == 0
    assert drawn(tmp_path / "other") != [training, test]
    assert convert(source, tmp_path / "same", *words).exit_code == 0
    assert drawn(tmp_path / "same") == [training, test]
    done = convert(source, tmp_path / "third", *words[:-1], "6")
    assert done.exit_code == 2 and "has 9 labelled cases, but 10 were asked for" in done.output
