"""What identifies the images of cases: the content of their files, and nothing else."""

import hashlib

from interactivenet.preprocessing.region_records import image_digests
from interactivenet.system.files import sha256
from tests.training.trained_task import NAME, first_fold, make_task

ONE, TWO, THREE = ("1" * 64, "2" * 64, "3" * 64)


def record(images, **files):
    return {"images": images, "files": files, "label": "labels/a.nii.gz"}


def test_an_image_is_known_by_its_content_alone():
    files = {"images/a_0000.nii.gz": ONE, "images/a_0001.nii.gz": TWO, "labels/a.nii.gz": THREE}
    made_from = record(["images/a_0000.nii.gz", "images/a_0001.nii.gz"], **files)
    digests = image_digests(made_from)
    assert digests == {hashlib.sha256(one.encode()).hexdigest()[:16] for one in (ONE, TWO)}
    other = record(["scans/patient 7.nii.gz"], **{"scans/patient 7.nii.gz": TWO})
    assert image_digests(other) < digests


def test_a_series_is_known_by_all_of_its_files_whatever_they_are_called():
    series = record(["images/a"], **{"images/a/1.dcm": ONE, "images/a/2.dcm": TWO})
    renamed = record(["b"], **{"b/x": TWO, "b/y": ONE, "bb/z": THREE})
    assert image_digests(series) == image_digests(renamed) and len(image_digests(series)) == 1
    shorter = record(["b"], **{"b/x": TWO})
    assert image_digests(series).isdisjoint(image_digests(shorter))
    assert image_digests(series).isdisjoint(image_digests(record(["b"], b=ONE)))


def test_records_that_do_not_say_it_identify_nothing():
    assert image_digests({}) == image_digests(record(["a"])) == frozenset()


def test_a_fold_knows_the_images_of_all_of_its_cases(tmp_path):
    make_task(tmp_path)
    fold, other = first_fold(tmp_path), first_fold(tmp_path, 1)
    assert len(fold.images) == 4 and fold.images == other.images
    assert len(frozenset().union(*fold.images.values())) == 4
    assert fold.training_images == frozenset().union(*(other.images[c] for c in other.cases))
    assert fold.training_images.isdisjoint(other.training_images)
    (path,) = (tmp_path / "raw" / NAME).glob(f"imagesTr/{fold.cases[0]}_*")
    digest = hashlib.sha256(sha256(path).encode()).hexdigest()[:16]
    assert fold.images[fold.cases[0]] == {digest}
