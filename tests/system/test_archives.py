"""Zips are always the same; what is odd in a stranger's is refused by name, and leaves nothing."""

import io
import random
import stat
import struct
import zipfile

import pytest

from interactivenet.errors import DataError
from interactivenet.system.archives import unzip, zip_folder


@pytest.fixture
def target(tmp_path):
    made = tmp_path / "target"
    made.mkdir()
    return made


def zipped(path, entries, method=zipfile.ZIP_DEFLATED):
    """Write entries, a name or a ZipInfo with its data, as they are."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return path


def refused(path, target, message, **options):
    with pytest.raises(DataError, match=message) as caught:
        unzip(path, target, **options)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    assert list(target.iterdir()) == []
    assert sorted(one.name for one in target.parent.iterdir()) == ["a.zip", "target"]


def bundle(folder):
    (folder / "deep").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    (folder / ".hidden/x").write_text("no")
    (folder / ".DS_Store").write_text("no")
    (folder / "b.json").write_text("{}" * 400)
    (folder / "deep/a.safetensors").write_bytes(bytes(3000))
    return folder


def test_a_folder_goes_round(tmp_path, target):
    zip_folder(bundle(tmp_path / "model"), tmp_path / "a.zip", "Task001_A")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == ["Task001_A/b.json", "Task001_A/deep/a.safetensors"]
        text, weights = archive.infolist()
    assert (text.compress_type, weights.compress_type) == (8, 0)
    assert weights.date_time == (1980, 1, 1, 0, 0, 0)
    unzip(tmp_path / "a.zip", target)
    made = sorted(one.relative_to(target).as_posix() for one in target.rglob("*") if one.is_file())
    assert made == ["Task001_A/b.json", "Task001_A/deep/a.safetensors"]
    assert (target / "Task001_A/b.json").read_text() == "{}" * 400


def test_equal_folders_give_equal_zips(tmp_path):
    for name, mode in (("x", 0o600), ("y", 0o755)):
        bundle(tmp_path / name)
        (tmp_path / name / "b.json").chmod(mode)
        zip_folder(tmp_path / name, tmp_path / f"{name}.zip", "m")
    assert (tmp_path / "x.zip").read_bytes() == (tmp_path / "y.zip").read_bytes()


def test_a_link_is_no_part_of_a_folder(tmp_path):
    folder = bundle(tmp_path / "model")
    (folder / "link").symlink_to(folder / "b.json")
    with pytest.raises(DataError, match="link: is a link"):
        zip_folder(folder, tmp_path / "a.zip", "m")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["model"]


def test_what_is_written_is_ordinary(tmp_path, target):
    script = zipfile.ZipInfo("run.sh")
    script.external_attr = (stat.S_IFREG | 0o4777) << 16
    junk = [("__MACOSX/._a", b"x"), ("m/.DS_Store", b"x"), ("__MACOSX/../../x", b"x")]
    zipped(tmp_path / "a.zip", [(script, b"#!"), ("m/", b""), ("m/ü.txt", b"y"), *junk])
    unzip(tmp_path / "a.zip", target)
    assert not (target / "run.sh").stat().st_mode & 0o7111
    assert (target / "m/ü.txt").read_bytes() == b"y"
    assert len(list(target.rglob("*"))) == 3


def test_only_an_empty_folder_is_filled(tmp_path, target):
    (target / "precious").write_text("x")
    with pytest.raises(DataError, match="expected an empty folder"):
        unzip(zipped(tmp_path / "a.zip", [("b", b"x")]), target)
    assert [one.name for one in target.iterdir()] == ["precious"]


NAMES = {
    "/etc/passwd": "is an absolute path",
    "C:/x": "backslash or a colon",
    "c:x": "backslash or a colon",
    "a\\b": "backslash or a colon",
    "../x": "is empty or ends in a dot",
    "a/../../x": "is empty or ends in a dot",
    "./x": "is empty or ends in a dot",
    "a//b": "is empty or ends in a dot",
    "/": "absolute",
    "a./b": "is empty or ends in a dot",
    "a\nb": "control character",
    "\x1b[2Jx": "control character",
    "n" * 256: "name of 256 bytes",
    "/".join(["n" * 200] * 6): "name of 1205 bytes",
}


@pytest.mark.parametrize("name", NAMES)
def test_odd_names(tmp_path, target, name):
    good = ("good.txt", b"x")
    refused(zipped(tmp_path / "a.zip", [good, (name, b"y")]), target, NAMES[name])


def test_a_name_with_nul(tmp_path, target):
    path = zipped(tmp_path / "a.zip", [("aXb", b"y")])
    path.write_bytes(path.read_bytes().replace(b"aXb", b"a\0b"))
    refused(path, target, "control character")


KINDS = {"link": stat.S_IFLNK, "pipe": stat.S_IFIFO, "device": stat.S_IFCHR, "dir": stat.S_IFDIR}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("system", [0, 3])
def test_entries_that_are_no_files(tmp_path, target, kind, system):
    entry = zipfile.ZipInfo("x")
    entry.create_system, entry.external_attr = system, (KINDS[kind] | 0o777) << 16
    path = zipped(tmp_path / "a.zip", [("good.txt", b"x"), (entry, "/etc/passwd")])
    refused(path, target, "is a link" if kind == "link" else "is a special file")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "a"], "'a' appears twice, also as 'a'"),
        (["m/A.txt", "M/a.TXT"], "appears twice, also as 'm/A.txt'"),
        (["u\u0308", "\xfc"], "appears twice"),
        (["m", "m/"], "appears twice"),
        (["m", "m/a"], "'m' is a file, but 'm/a' lies in it"),
        (["m/n/a", "M"], "'M' is a file, but 'm/n/a' lies in it"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_collide(tmp_path, target, names, message):
    refused(zipped(tmp_path / "a.zip", [(name, b"") for name in names]), target, message)


def altered(path, flags=None, method=None, size=None):
    """Change the fields of the first entry in the list of entries, and in its own header."""
    data = bytearray(path.read_bytes())
    for mark, at, wide in ((b"PK\1\2", 8, 24), (b"PK\3\4", 6, 22)):
        start = data.index(mark)
        if flags is not None:
            struct.pack_into("<H", data, start + at, flags)
        if method is not None:
            struct.pack_into("<H", data, start + at + 2, method)
        if size is not None:
            struct.pack_into("<I", data, start + wide, size)
    path.write_bytes(data)
    return path


def test_encrypted(tmp_path, target):
    refused(altered(zipped(tmp_path / "a.zip", [("a", b"x")]), flags=1), target, "is encrypted")


@pytest.mark.parametrize("method", [12, 14, 99])
def test_other_compression(tmp_path, target, method):
    path = altered(zipped(tmp_path / "a.zip", [("a", b"x")]), method=method)
    refused(path, target, f"method {method}")


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\3\4" + bytes(60)])
def test_no_zip(tmp_path, target, data):
    (tmp_path / "a.zip").write_bytes(data)
    refused(tmp_path / "a.zip", target, "is not a complete zip")


def test_no_file(tmp_path, target):
    with pytest.raises(DataError, match=r"a\.zip: cannot be unzipped: No such file"):
        unzip(tmp_path / "a.zip", target)


def test_every_truncation(tmp_path, target):
    path = zipped(tmp_path / "a.zip", [("a", bytes(range(256))), ("b/c", b"x" * 99)])
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        refused(path, target, r"is not a complete zip|is damaged|cannot be unzipped")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_damaged_bytes(tmp_path, target, method):
    path = zipped(tmp_path / "a.zip", [("good", b"x"), ("a", bytes(range(256)) * 20)], method)
    data = bytearray(path.read_bytes())
    data[150] ^= 0xFF
    path.write_bytes(data)
    refused(path, target, "'a' is damaged")


@pytest.mark.parametrize("size", [50, 5000])
def test_a_size_that_is_a_lie(tmp_path, target, size):
    path = altered(zipped(tmp_path / "a.zip", [("a", bytes(range(256)))]), size=size)
    refused(path, target, "'a' is damaged")


def test_too_many_entries(tmp_path, target):
    path = zipped(tmp_path / "a.zip", [(str(n), b"") for n in range(10_001)])
    refused(path, target, "has 10001 entries, expected at most 10000")


def test_a_list_of_entries_that_fills_the_memory(tmp_path, target):
    path = tmp_path / "a.zip"
    size = 20 * 2**20
    with path.open("wb") as file:
        file.truncate(size)
        file.seek(size)
        file.write(b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, size, 0, 0))
    refused(path, target, "its list of entries takes 20971520 bytes")


def test_more_bytes_than_allowed(tmp_path, target):
    path = zipped(tmp_path / "a.zip", [("a", b"x" * 600), ("b", b"x" * 600)])
    refused(path, target, "holds 1200 bytes, expected at most 1000", limit=1000)
    unzip(path, target, limit=1200)


def test_a_bomb(tmp_path, target):
    refused(zipped(tmp_path / "a.zip", [("a", bytes(10**7))]), target, "at most 200 times as many")


def test_overlapping_entries(tmp_path, target):
    """Many entries of the list that are the same bytes of the file, as in Fifield's bomb."""
    for content, count, message in (
        (bytes(10**6), 500, "expands from .* to 500000000 bytes"),
        (random.Random(0).randbytes(10**5), 50, r"damaged|Overlapped"),
    ):
        kernel = io.BytesIO()
        zipped(kernel, [("000", content)])
        data = kernel.getvalue()
        start, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
        entries = b"".join(data[start:end].replace(b"000", b"%03d" % n) for n in range(count))
        last = struct.pack("<HHHHIIH", 0, 0, count, count, len(entries), start, 0)
        (tmp_path / "a.zip").write_bytes(data[:start] + entries + b"PK\5\6" + last)
        refused(tmp_path / "a.zip", target, message)


def test_a_disk_that_is_full(tmp_path, target, monkeypatch):
    path = zipped(tmp_path / "a.zip", [("m/a", b"x"), ("m/b", b"y")])
    real = type(path).open

    def refuse(self, mode="r", *rest, **more):
        if self.name == "b":
            raise OSError(28, "No space left on device")
        return real(self, mode, *rest, **more)

    monkeypatch.setattr(type(path), "open", refuse)
    refused(path, target, "cannot be unzipped: No space left")
