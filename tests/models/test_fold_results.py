"""A fold's results: when it is finished, and what it was validated with."""

import hashlib

import pytest

from interactivenet.errors import DataError
from interactivenet.models.fold_results import FoldResults


def test_a_fold_is_finished_with_its_last_weights(tmp_path):
    fold = FoldResults(tmp_path, 3)
    fold.folder.mkdir()
    assert fold.folder == tmp_path / "fold_3" and not fold.is_finished
    fold.weights("best").write_bytes(b"best")
    assert not fold.is_finished
    fold.weights("last").write_bytes(b"last")
    assert fold.is_finished
    assert fold.digest("last") == hashlib.sha256(b"last").hexdigest()


def test_what_is_not_there(tmp_path):
    fold = FoldResults(tmp_path, 0)
    assert fold.read_validation() == {}
    with pytest.raises(DataError, match=r"model_best\.safetensors"):
        fold.digest("best")


def test_validation_is_read(tmp_path):
    fold = FoldResults(tmp_path, 0)
    fold.validation.mkdir(parents=True)
    (fold.validation / "metrics.json").write_text('{"best": {"epoch": 3}}')
    assert fold.read_validation() == {"best": {"epoch": 3}}
    (fold.validation / "metrics.json").write_text("{")
    with pytest.raises(DataError, match=r"metrics\.json"):
        fold.read_validation()
