"""Weights come out of a saved model exactly, or the file is refused."""

import pickle
import sys
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch

from interactivenet.errors import DataError
from interactivenet.legacy.weights import read_weights
from tests.legacy.published_model import make_network, save_model
from tests.legacy.raw_pickles import GOOD, dynunet, net, write


def parameters(network):
    return {
        name: value.detach().float().numpy()
        for name, value in network.state_dict().items()
        if not name.startswith("skip_layers.")
    }


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_weights_are_read_exactly(tmp_path, monkeypatch, zipped, dtype):
    network = make_network(3).to(dtype)
    path = save_model(tmp_path / "model.pth", network, monkeypatch, zipped=zipped)
    before = set(sys.modules)
    found = read_weights(path)
    assert set(sys.modules) == before
    expected = parameters(network)
    assert found.keys() == expected.keys() and len(expected) > 15
    for name, value in expected.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], value)


def test_tables_of_older_versions_are_read(tmp_path, monkeypatch):
    """Before torch 2.1, modules kept their members in ordered dictionaries."""
    network = make_network(3)
    for one in network.modules():
        for kind in ("_modules", "_parameters", "_buffers"):
            setattr(one, kind, OrderedDict(getattr(one, kind)))
    path = save_model(tmp_path / "model.pth", network, monkeypatch)
    assert b"OrderedDict" in path.read_bytes()
    assert read_weights(path).keys() == parameters(network).keys()


def test_views_of_a_storage_are_read_exactly(tmp_path, monkeypatch):
    network = make_network()
    weight = network.input_block.conv1.conv.weight
    whole = torch.arange(3 * weight.numel(), dtype=torch.float32)
    view = whole[5 : 5 + 2 * weight.numel() : 2].reshape(weight.shape[::-1]).permute(4, 3, 2, 1, 0)
    weight.data = view
    path = save_model(tmp_path / "model.pth", network, monkeypatch)
    found = read_weights(path)["input_block.conv1.conv.weight"]
    np.testing.assert_array_equal(found, view.numpy())


def test_what_is_written_by_hand_is_read(tmp_path):
    values = np.arange(4, dtype="<f4")
    path = write(tmp_path / "m.pth", net(dynunet(parameters=GOOD)), {"0": values.tobytes()})
    np.testing.assert_array_equal(read_weights(path)["w"], values.reshape(2, 2))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"stored": zipfile.ZIP_DEFLATED}, r"compressed entry m/data\.pkl"),
        ({"extra": [("m/byteorder", "big")]}, "not written in little-endian"),
        ({"extra": [("n/data.pkl", "")]}, "2 entries NAME/data.pkl"),
        ({"data": {"0": bytes(12)}}, "has 12 bytes in m/data/0, expected 4 x 4"),
        ({"data": {"1": bytes(16)}}, "has no entry m/data/0"),
    ],
)
def test_odd_archives_are_refused(refused, more, message):
    refused(net(dynunet(parameters=GOOD)), message, **more)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_doubled_names_are_refused(refused):
    code = net(dynunet(parameters=GOOD))
    refused(code, "several entries of one name", extra=[("m/data/0", bytes(16))])


@pytest.mark.parametrize("zipped", [True, False])
def test_truncated_files_are_refused(tmp_path, monkeypatch, zipped):
    path = save_model(tmp_path / "model.pth", make_network(), monkeypatch, zipped=zipped)
    data = path.read_bytes()
    for length in (0, 1, 2, 3, 100, len(data) // 3, len(data) // 2, len(data) - 50, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(DataError, match=r"model\.pth: "):
            read_weights(path)


def test_damaged_files_are_refused_or_read(tmp_path, monkeypatch):
    """Whatever byte is another one: a DataError, or weights; nothing else, and soon."""
    path = save_model(tmp_path / "model.pth", make_network(), monkeypatch, zipped=False)
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(0, 12_000, 60):
        spoiled = bytearray(data)
        spoiled[place] ^= int(rng.integers(1, 256))
        path.write_bytes(spoiled)
        before = set(sys.modules)
        try:
            read_weights(path)
        except DataError as error:
            assert str(error).startswith(f"{path}: ")
        assert set(sys.modules) == before


def test_the_older_format_needs_its_magic_number_and_order(tmp_path, monkeypatch):
    path = tmp_path / "model.pth"
    parts = [pickle.dumps(one, 2) for one in (1, 1001, {"little_endian": True})]
    path.write_bytes(b"".join(parts))
    with pytest.raises(DataError, match=r"was not written by torch\.save"):
        read_weights(path)
    parts = [pickle.dumps(one, 2) for one in (0x1950A86A20F9469CFC6C, 1001, {})]
    path.write_bytes(b"".join(parts))
    with pytest.raises(DataError, match="not written in little-endian"):
        read_weights(path)


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(DataError, match=r"none\.pth: cannot be read: No such file"):
        read_weights(tmp_path / "none.pth")
    with pytest.raises(DataError, match="is a folder: expected a regular file"):
        read_weights(tmp_path)
