"""Nothing in a pickle ever runs, and what is refused is refused soon, in one line."""

import pickletools
import sys

import pytest

from interactivenet.errors import DataError
from interactivenet.legacy import pickle_reader, torch_storage, weights
from interactivenet.legacy.weights import read_weights
from tests.legacy.raw_pickles import (
    GOOD,
    Raw,
    dynunet,
    encoded,
    module,
    name,
    net,
    storage,
    tensor,
    text,
    write,
)


@pytest.mark.parametrize("place", ["top", "attribute", "model", "parameter", "storage", "key"])
@pytest.mark.parametrize(
    "call", ["posix system", "os system", "builtins exec", "builtins eval", "builtins getattr"]
)
def test_nothing_runs(tmp_path, place, call):
    marker = tmp_path / "ran"
    python = f"open({str(marker)!r}, 'w')"
    shell = f"touch {marker}"
    bomb = encoded(Raw(*call.split(), (shell if "system" in call else python,), {"x": 1}))
    codes = {
        "top": bomb,
        "attribute": net(dynunet(parameters=GOOD), trainer=bomb),
        "model": net(bomb),
        "parameter": net(dynunet(parameters={"w": bomb})),
        "storage": net(dynunet(parameters={"w": tensor(of=bomb + b"Q")})),
        "key": net(dynunet(parameters=GOOD), table=b"}(" + bomb + bomb + b"u"),
    }
    beside = ("attribute", "key")  # junk beside the network is what such files are full of
    path = write(tmp_path / "model.pth", codes[place])
    before = dict(sys.modules)
    if place in beside:
        assert read_weights(path).keys() == {"w"}
    else:
        with pytest.raises(DataError, match=r"model\.pth: "):
            read_weights(path)
    # zipfile looks up the codec of names
    new = [name for name in sys.modules if name not in before]
    assert not marker.exists() and all(name.startswith("encodings.") for name in new)


def test_no_state_is_set(tmp_path):
    """BUILD calls __setstate__ or sets attributes of what exists: here there is nothing."""
    marker = tmp_path / "ran"
    codes = [
        # BUILD on a class: builtins' attributes stay
        name("builtins", "print") + encoded({"__call__": name("os", "system")}) + b"b0",
        # INST and OBJ, which call, too
        b"(" + text(f"touch {marker}") + b"ios\nsystem\n" + b"0",
        b"(" + name("os", "system") + text(f"touch {marker}") + b"o0",
        name("os", "system") + encoded((f"touch {marker}",)) + b"\x810",
    ]
    for code in codes:
        path = write(tmp_path / "model.pth", code + net(dynunet(parameters=GOOD)))
        try:
            assert read_weights(path).keys() == {"w"}
        except DataError as error:
            assert "opcode INST" in str(error)
        assert not marker.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": (2**40, 2**40)}, "parameter w: has 1208925819614629174706176 elements"),
        ({"size": (2, 3)}, "6 elements up to the 5th of a storage of 4"),
        ({"offset": 1}, "4 elements up to the 5th of a storage of 4"),
        ({"offset": -1}, "not a whole number"),
        ({"stride": (-2, 1)}, "not a whole number"),
        ({"stride": (2**47, 1)}, "elements up to the"),
        ({"stride": (0, 0), "size": (4000, 4000)}, "16000000 elements"),
        ({"size": (0, 2)}, "has 0 elements"),
        ({"size": [2, 2]}, "not a whole number"),
        ({"size": (True, 2)}, "not a whole number"),
        ({"size": (2.0, 2)}, "not a whole number"),
        ({"stride": (1,)}, "2 sizes and 1 strides"),
        ({"size": (1,) * 9, "stride": (1,) * 9}, "9 sizes"),
        ({"call": "_rebuild_tensor"}, r"is torch\._utils\._rebuild_tensor, expected"),
        ({"of": storage(count=5)}, r"has 16 bytes in m/data/0, expected 5 x 4"),
        ({"of": storage(count=2**45)}, "its tensors take more than 512 MiB"),
        ({"of": storage(count=-1)}, "key or size is not a whole|whose size is not"),
        ({"of": storage(key="../../0")}, "whose key is not a number"),
        ({"of": storage(key="7")}, "has no entry m/data/7"),
        ({"of": storage(kind=("torch", "ByteStorage"), count=16)}, "is stored as ByteStorage"),
        ({"of": storage(kind=("os", "system"))}, r"storage of type os\.system"),
        ({"of": storage(tag="module")}, "that is not a storage"),
        ({"of": (1, 2)}, "without a storage"),
    ],
)  # fmt: skip
def test_tensors_never_reach_beyond(refused, changes, message):
    refused(net(dynunet(parameters={"w": tensor(**changes)})), message)


def laughs(depth, width):
    """A module of modules of modules ..., each level the same few objects again."""
    code = module(parameters=GOOD) + b"q\x01"
    for _ in range(depth):
        children = b"}(" + b"".join(text(f"c{i}") + b"h\x01" for i in range(width)) + b"u"
        code += b"0" + module(children) + b"q\x01"
    return code


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (laughs(15, 10) + b"0" + dynunet(b"}(" + text("c") + b"h\x01u"), "more than 20000 modules"),
        (laughs(30, 1) + b"0" + dynunet(b"}(" + text("c") + b"h\x01u"), "or 20 levels"),
        (dynunet({"a": module(cls=("torch.nn.modules.batchnorm", "BatchNorm3d"))}),
         r"a is torch\.nn\.modules\.batchnorm\.BatchNorm3d, expected a part of DynUNet"),
        (dynunet({"a": module(_buffers={"mean": tensor()})}), "a has a buffer mean"),
        (dynunet({"a": module(cls=("torch.nn.modules.activation", "LeakyReLU"),
                              negative_slope=0.2)}), r"a has the slope 0\.2"),
        (dynunet({"a.b": module()}), r"a member a\.b"),
        (dynunet({"a\x1b[31m": module()}), r"a member a\?\[31m"),
        (dynunet({"a": 3}), "a is a int"),
        (dynunet(b"]"), "no table _modules"),
        (module(), r"_model is torch\.nn\.modules\.container\.Sequential"),
    ],
)  # fmt: skip
def test_odd_networks_are_refused(refused, network, message):
    # what comes before the last object is built first, and remembered
    head, _, last = network.rpartition(b"0c") if network.startswith(b"ctorch") else (b"", b"", b"")
    code = head + b"0" + net(b"c" + last) if head else net(network)
    refused(code, message)


def test_a_cycle_is_refused(refused):
    own = name("torch.nn.modules.container", "Sequential") + b")R" + b"q\x05"
    state = encoded({"_modules": b"}(" + text("c") + b"h\x05u", "_parameters": {}})
    refused(net(dynunet({"a": own + state + b"b"})), "or 20 levels")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (b"\x82\x01", "opcode EXT1"),
        (b"\x97", "opcode NEXT_BUFFER"),
        (b"I1\n", "opcode INT"),
        (b"Pabc\n", "opcode PERSID"),
        (b"R", "is not a valid pickle: stops after REDUCE"),
        (b"h\x07", "is not a valid pickle: stops after BINGET"),
        (b"u", "is not a valid pickle"),
        (b"0", "is not a valid pickle"),
        (b"\x85", "is not a valid pickle"),
        (b"}(" + text("a") + b"u", "is not a valid pickle"),
        (b"\xfe", "is not a valid pickle"),
        (b"X\xff\xff\xff\x7fabc", "is not a valid pickle"),
        (b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f", "is not a valid pickle"),
        (b"\x80\x09", "protocol 9, expected at most 5"),
        (b"N", "the model is a NoneType, expected interactivenet.training.run.Net"),
        (b"(" * 300_000 + b"N", "the model is a NoneType"),
        (b"]" + b"\x85" * 1_000_000, "the model is a tuple"),
        (b"ca\nb\n" + b")R" * 500_000, "the model is an unnamed call"),
        (b"r\xff\xff\xff\x7f".join([b"N", b""]), "the model is a NoneType"),
        (b"cos\x1b\nsystem\n)R", r"the model is os\?\.system"),
    ],
)  # fmt: skip
def test_odd_pickles_are_refused(refused, code, message):
    refused(code, message)


def test_nested_tuples_are_never_hashed(tmp_path):
    """Their hash takes 2^60 steps: each level is the last one twice."""
    code = b")" + b"q\x01h\x01\x86" * 60 + b"q\x02"
    table = b"}(" + code + b"Nu"
    path = write(tmp_path / "m.pth", net(dynunet(parameters=GOOD), table=table))
    assert read_weights(path).keys() == {"w"}


def test_sizes_are_bounded(refused, monkeypatch):
    monkeypatch.setattr(pickle_reader, "MAX_OPCODES", 1000)
    refused(b"N0" * 600 + net(dynunet(parameters=GOOD)), "too long: expected up to 1000 opcodes")
    monkeypatch.setattr(torch_storage, "MAX_PICKLE_BYTES", 200)
    refused(net(dynunet(parameters=GOOD)), r"bytes in m/data\.pkl, expected up to 200")
    monkeypatch.setattr(torch_storage, "MAX_PICKLE_BYTES", 1 << 20)
    monkeypatch.setattr(torch_storage, "MAX_BYTES", 100)
    refused(net(dynunet(parameters=GOOD)), "bytes, expected up to 100")


def test_many_parameters_of_one_storage_are_bounded(refused, monkeypatch):
    monkeypatch.setattr(weights, "MAX_MEMBERS", 100)
    many = {f"w{i}": tensor() for i in range(101)}
    refused(net(dynunet(parameters=many)), "no table _parameters, or one with more than 100")


def test_every_listed_opcode_is_one():
    assert set(pickle_reader._HANDLERS) <= {opcode.name for opcode in pickletools.opcodes}
