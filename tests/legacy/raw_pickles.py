"""Pickles written opcode by opcode, as nobody should, and archives around them."""

import pickle
import struct
import zipfile


class Raw:
    """Pickled as the given callable and arguments would be."""

    def __init__(self, module, name, args=(), state=None):
        self.module, self.name, self.args, self.state = module, name, args, state


def text(value):
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def name(module, attribute):
    return b"c" + module.encode() + b"\n" + attribute.encode() + b"\n"


def encoded(value):
    """Opcodes (protocol 2) of plain data and Raw calls."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, Raw):
        code = name(value.module, value.name) + encoded(tuple(value.args)) + b"R"
        return code if value.state is None else code + encoded(value.state) + b"b"
    if isinstance(value, dict):
        return b"}(" + b"".join(encoded(k) + encoded(v) for k, v in value.items()) + b"u"
    if isinstance(value, tuple):
        return b"(" + b"".join(map(encoded, value)) + b"t"
    return pickle.dumps(value, 2)[2:-1]


def storage(key="0", count=4, kind=("torch", "FloatStorage"), tag="storage"):
    return encoded((tag, name(*kind), key, "cpu", count)) + b"Q"


def tensor(size=(2, 2), stride=(2, 1), offset=0, of=None, call="_rebuild_tensor_v2"):
    args = (storage() if of is None else of, offset, size, stride, False, {})
    return Raw("torch._utils", call, args)


def module(
    children=None, parameters=None, cls=("torch.nn.modules.container", "Sequential"), **more
):
    state = {"_modules": children or {}, "_parameters": parameters or {}, **more}
    return encoded(Raw(*cls, (), state))


def net(network, **more):
    return module({"_model": network}, cls=("interactivenet.training.run", "Net"), **more)


def dynunet(children=None, parameters=None, **more):
    cls = ("monai.networks.nets.dynunet", "DynUNet")
    return module(children, parameters, cls=cls, **more)


GOOD = {"w": tensor()}


def write(path, code, data=None, *, extra=(), stored=zipfile.ZIP_STORED):
    entries = {"m/data.pkl": b"\x80\x02" + code + b"."}
    entries |= {f"m/data/{k}": v for k, v in (data or {"0": bytes(16)}).items()}
    with zipfile.ZipFile(path, "w", stored) as archive:
        for entry, content in [*entries.items(), *extra]:
            archive.writestr(entry, content)
    return path
