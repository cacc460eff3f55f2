"""Downloads go on where they broke off, are checked, and fail with one line."""

import io
import json
from pathlib import Path

import pytest
import requests

from interactivenet.errors import DataError, RequestError
from interactivenet.models.download import fetch, parse_checksum
from interactivenet.models.registry import download
from interactivenet.system.http import Remote
from interactivenet.system.locks import folder_lock
from tests.model_server import DATA, RECORD, md5, serving, sha256

NAME = "Task800_WORC_MRI"
HALF = len(DATA) // 2


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with serving() as made:
        made.files["/m.zip"] = DATA
        yield made


def get(site, folder, path="/m.zip", checksum=None, **more):
    """Download without waits."""
    more = {"waits": (0, 0), "timeout": 5, "base": site.url} | more
    return download(path if path == NAME else site.url + path, folder, checksum=checksum, **more)


def left(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def refused(kind, message, site, folder, **more):
    with pytest.raises(kind, match=message) as caught:
        get(site, folder, **more)
    assert "\n" not in str(caught.value)


def test_a_published_model(site, tmp_path):
    site.publish(**{NAME: DATA, "Task801_WORC_CT": b"other"})
    seen = []
    path = get(site, tmp_path, NAME, progress=lambda *now: seen.append(now))
    assert path == tmp_path / f"{NAME}.zip" and path.read_bytes() == DATA
    assert left(tmp_path) == [path.name]
    assert seen[-1] == (len(DATA), len(DATA)) and seen == sorted(seen)
    assert get(site, tmp_path, NAME) == path
    assert [path for path, *_ in site.asked].count(RECORD) == 2 and len(site.asked) == 3


def test_an_address(site, tmp_path):
    for checksum in (None, sha256(DATA), md5(DATA).upper(), sha256(DATA)[7:]):
        assert get(site, tmp_path, checksum=checksum).read_bytes() == DATA
    assert left(tmp_path) == ["m.zip"]
    site.files["/files/odd%20name"] = DATA
    assert get(site, tmp_path, "/files/odd%20name").suffix == ".zip"


@pytest.mark.parametrize("length", [True, False])
def test_without_a_length(site, tmp_path, length):
    site.chunked = not length
    assert get(site, tmp_path).read_bytes() == DATA


def test_it_goes_on_after_a_break(site, tmp_path):
    site.breaks = [HALF, HALF // 2]
    assert get(site, tmp_path).read_bytes() == DATA
    ranges = [(wish, condition) for _, wish, condition in site.asked]
    first, second, third = (int((wish or "bytes=0-")[6:-1]) for wish, _ in ranges)
    assert 0 == first < second <= HALF and second < third < len(DATA)
    assert [condition for _, condition in ranges] == [None, '"one"', '"one"']


def test_another_invocation_goes_on(site, tmp_path):
    site.breaks = [HALF] + [0] * 9
    refused(RequestError, r"broke off.*: try again to continue after \d+ bytes$", site, tmp_path)
    assert left(tmp_path) == ["m.zip.part", "m.zip.part.json"]
    assert len(site.asked) == 3
    site.breaks = []
    assert get(site, tmp_path).read_bytes() == DATA
    assert site.asked[-1][1] is not None and left(tmp_path) == ["m.zip"]


def test_whole_but_not_yet_named(site, tmp_path):
    site.breaks = [HALF]
    refused(RequestError, "broke off", site, tmp_path, waits=())
    (tmp_path / "m.zip.part").write_bytes(DATA)
    asked = len(site.asked)
    assert get(site, tmp_path).read_bytes() == DATA and len(site.asked) == asked


def test_a_server_without_ranges_starts_anew(site, tmp_path):
    site.ranges, site.breaks = False, [HALF]
    assert get(site, tmp_path).read_bytes() == DATA
    assert len(site.asked) == 2


def test_another_file_than_before_starts_anew(site, tmp_path):
    site.breaks = [HALF]
    refused(RequestError, "broke off", site, tmp_path, waits=())
    site.files["/m.zip"], site.tag = DATA[::-1], '"two"'
    assert get(site, tmp_path).read_bytes() == DATA[::-1]


def test_nothing_to_tell_files_apart_starts_anew(site, tmp_path):
    site.tag, site.breaks = 'W/"weak"', [HALF]
    refused(RequestError, "broke off.*: try again$", site, tmp_path, waits=())
    assert get(site, tmp_path).read_bytes() == DATA
    assert [wish for _, wish, _ in site.asked] == [None, None]


def test_a_checksum_tells_files_apart_too(site, tmp_path):
    site.tag, site.breaks = None, [HALF]
    assert get(site, tmp_path, checksum=md5(DATA)).read_bytes() == DATA
    assert site.asked[1][1] is not None and site.asked[1][2] is None


def test_a_part_of_another_address_is_not_used(site, tmp_path):
    site.breaks, site.files["/x/m.zip"] = [HALF], DATA[::-1]
    refused(RequestError, "broke off", site, tmp_path, waits=())
    assert get(site, tmp_path, "/x/m.zip").read_bytes() == DATA[::-1]


@pytest.mark.parametrize("notes", ["", "[]", "{", '{"address": 3}'])
def test_a_part_with_damaged_notes_is_not_used(site, tmp_path, notes):
    (tmp_path / "m.zip.part").write_bytes(b"odd")
    (tmp_path / "m.zip.part.json").write_text(notes)
    assert get(site, tmp_path).read_bytes() == DATA


def test_a_part_that_does_not_fit_starts_anew(site, tmp_path):
    for part, statuses in ((DATA + b"too long", []), (b"", []), (DATA[:9], [206])):
        site.breaks = [HALF]
        refused(RequestError, "broke off", site, tmp_path, waits=())
        (tmp_path / "m.zip.part").write_bytes(part)
        site.statuses = statuses  # 206 without saying of which bytes
        assert get(site, tmp_path).read_bytes() == DATA


@pytest.mark.parametrize("checksum", [md5(b"x"), sha256(b"x")])
def test_wrong_bytes(site, tmp_path, checksum):
    kind = checksum.partition(":")[0]
    message = rf"m\.zip: {kind}:[0-9a-f]+ was downloaded, expected {checksum}"
    refused(DataError, message, site, tmp_path, checksum=checksum)
    assert left(tmp_path) == []


def test_wrong_bytes_of_a_published_model(site, tmp_path):
    site.publish(**{NAME: DATA})
    path = f"{RECORD}/files/{NAME}.zip/content"
    site.files[path] = DATA[::-1]
    refused(DataError, f"was downloaded, expected {md5(DATA)}", site, tmp_path, path=NAME)
    site.files[path] = DATA[:-1]
    refused(DataError, "has 511999 bytes, expected 512000", site, tmp_path, path=NAME)
    site.chunked = True
    refused(DataError, "has 511999 bytes, expected 512000", site, tmp_path, path=NAME)
    assert left(tmp_path) == []


@pytest.mark.parametrize("chunked", [False, True])
def test_too_large(site, tmp_path, chunked):
    site.chunked = chunked
    with pytest.raises(RequestError, match=r"has (512000|more than 99) bytes"):
        fetch(Remote(site.url + "/m.zip", "m.zip"), tmp_path, limit=99)
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("status", "message", "asked"),
    [
        (404, r"the server has no such file \(404 Not Found\)", 1),
        (403, "the server denies access", 1),
        (500, r"the server failed \(500 .*\): try again later", 1),
        (503, r"the server is busy \(503", 3),
        (429, "the server is busy", 3),
        (418, "the server answers 418", 1),
    ],
)
def test_refusals_of_the_server(site, tmp_path, status, message, asked):
    site.statuses = [status] * 3
    refused(RequestError, message, site, tmp_path)
    assert len(site.asked) == asked and left(tmp_path) == []


def test_a_busy_server_is_asked_again(site, tmp_path):
    site.statuses = [503, 429]
    assert get(site, tmp_path).read_bytes() == DATA


def test_a_slow_server(site, tmp_path):
    site.stall, site.breaks = True, [HALF, 0, 0]
    refused(RequestError, r"no answer within 0\.2 s: try again", site, tmp_path, timeout=0.2)
    assert left(tmp_path) == ["m.zip.part", "m.zip.part.json"]


def test_a_server_that_is_not_there(site, tmp_path):
    with serving() as gone:
        pass
    refused(RequestError, r"no connection: [^\"']*refused[^\"']*$", gone, tmp_path)
    refused(RequestError, "no connection", gone, tmp_path, path=NAME)


def test_a_host_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    with pytest.raises(RequestError, match="host was not found: there is no network, or"):
        download("https://nowhere.invalid/m.zip", tmp_path, checksum=None, waits=())


def test_compressed_on_the_way(site, tmp_path):
    site.extra = {"Content-Encoding": "gzip"}
    refused(RequestError, "was sent compressed", site, tmp_path)


def test_where_it_leads(site, tmp_path):
    site.redirects = {"/a": "/m.zip", "/b": "/b", "/c": "file:///etc/passwd"}
    assert get(site, tmp_path, "/a").read_bytes() == DATA
    refused(RequestError, "redirects", site, tmp_path, path="/b")
    refused(RequestError, "No connection adapters", site, tmp_path, path="/c")


def test_https_never_leads_to_http(tmp_path, monkeypatch):
    answer = requests.Response()
    answer.status_code, answer.url, answer.raw = 200, "http://b.c/m.zip", io.BytesIO()
    monkeypatch.setattr(requests, "get", lambda *_, **__: answer)
    with pytest.raises(RequestError, match=r"redirects to http://b\.c/m\.zip, expected https"):
        download("https://a.b/m.zip", tmp_path, checksum=None)


def test_a_disk_that_is_full(site, tmp_path, monkeypatch):
    real = Path.open

    class Full(io.BytesIO):
        def write(self, _):
            raise OSError(28, "No space left on device")

    def opened(self, mode="r", *rest, **more):
        return Full() if mode == "ab" else real(self, mode, *rest, **more)

    monkeypatch.setattr(Path, "open", opened)
    refused(DataError, r"m\.zip\.part: cannot be written: No space left", site, tmp_path)


WISHES = {
    "Task999_NO": "no published model is called 'Task999_NO': expected one of Task800_WORC_MRI",
    "file:///etc/passwd": "expected an address that begins with https",
    "ftp://a/b.zip": "expected an address that begins with https",
    "https:///b.zip": "expected an address that begins with https",
    "https://[/b.zip": "expected an address that begins with https",
}


@pytest.mark.parametrize("wish", WISHES)
def test_what_cannot_be_downloaded(tmp_path, wish):
    with pytest.raises(RequestError, match=WISHES[wish]):
        download(wish, tmp_path, checksum=None)


@pytest.mark.parametrize("text", ["", "md5:", "sha256:" + "0" * 32, "0" * 40, "sha1:" + "0" * 40])
def test_odd_checksums(text):
    with pytest.raises(RequestError, match="expected sha256: and 64"):
        parse_checksum(text)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (b"<html>", "the answer is not JSON"),
        (b"[]", "the answer is not as expected"),
        (b'{"files": [{"key": 3}]}', f"has no {NAME}.zip, but 3"),
        (b'{"files": []}', f"has no {NAME}.zip, but nothing"),
        ({"size": 3}, "the answer is not as expected"),
        ({"checksum": "md5:x", "size": 3}, "the answer is not as expected"),
        ({"checksum": md5(b""), "size": None}, "the answer is not as expected"),
        ({"links": {"self": "file:///x"}}, "links to file:///x, expected an address"),
    ],
)  # fmt: skip
def test_odd_answers_of_the_archive(site, tmp_path, record, message):
    if isinstance(record, dict):
        record = json.dumps({"files": [{"key": f"{NAME}.zip"} | record]}).encode()
    site.files[RECORD] = record
    refused(DataError, message, site, tmp_path, path=NAME)


def test_one_download_at_a_time(site, tmp_path):
    with folder_lock(tmp_path):
        refused(RequestError, "another run is writing", site, tmp_path)


def test_what_is_secret_is_not_told(site, tmp_path):
    url = site.url.replace("://", "://me:word@") + "/no.zip?token=word"
    with pytest.raises(RequestError, match="no such file") as caught:
        download(url, tmp_path, checksum=None)
    assert "word" not in str(caught.value)
