"""Requests that nobody means well by, or that go wrong on their way."""

import json
import socket
import threading
import time

import nibabel
import numpy as np
import pytest

from tests.viewer.serving import TOKEN, ball, points_of, status_of


@pytest.fixture(scope="module")
def client(serve_in, tmp_path_factory):
    """One server for all tests that name no settings: what it refuses leaves it as it was."""
    with serve_in(tmp_path_factory.mktemp("hostile"), sessions=100) as client:
        yield client


def get(path, *headers, host="127.0.0.1:8000", method="GET"):
    lines = [f"{method} {path} HTTP/1.1", *([f"Host: {host}"] if host else []), *headers]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode()


@pytest.mark.parametrize(
    "path",
    ["/", "/api/state", "/static/index.html", "/wrong/api/state", f"/{TOKEN[:-1]}/api/state",
     f"/{TOKEN}x/api/state", f"/x/{TOKEN}/api/state", f"/{TOKEN.upper()}/", "/%00/", "//", "/%ff/",
     f"/?{TOKEN}", "/monai/", f"/monai/x{TOKEN}/info/", f"/../{TOKEN}x/"],
)  # fmt: skip
def test_without_the_token_nothing_is_there(client, path):
    status, content = status_of(client.raw(get(path)))
    assert status == 403 and "token" in content["error"]
    assert TOKEN not in str(content)


def test_a_person_at_a_wrong_address_reads_a_sentence(client):
    told = client.raw(get("/wrong/", "Accept: text/html,application/xhtml+xml,*/*;q=0.8"))
    head, _, body = told.partition(b"\r\n\r\n")
    assert b" 403 " in head and b"text/plain" in head
    assert body.startswith(b"InteractiveNet: the address lacks its token")


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "",
     "[::1", "user@evil.example"],
)  # fmt: skip
def test_another_name_of_this_server_is_refused(client, host):
    status, _ = status_of(client.raw(get(f"/{TOKEN}/api/state", host=host)))
    assert status in (400, 421)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:9000", "localhost:8000", "[::1]:8000",
                                  "192.168.1.20:8000"])  # fmt: skip
def test_numbers_and_its_own_name_are_not(client, host):
    assert status_of(client.raw(get(f"/{TOKEN}/api/state", host=host)))[0] == 200


@pytest.mark.parametrize(
    "headers",
    [["Origin: http://evil.example"], ["Origin: null"], ["Origin: http://127.0.0.1:9999"],
     ["Origin: http://127.0.0.1:8000.evil.example"], ["Sec-Fetch-Site: cross-site"],
     ["Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: cors"], ["Origin: http://[::1"]],
)  # fmt: skip
def test_pages_of_others_are_refused(client, headers):
    status, content = status_of(client.raw(get(f"/{TOKEN}/api/state", *headers)))
    assert status == 403 and "other servers" in content["error"]


def test_a_link_may_be_followed_and_its_own_page_asks(client):
    own = ["Origin: http://127.0.0.1:8000", "Sec-Fetch-Site: same-origin"]
    assert status_of(client.raw(get(f"/{TOKEN}/api/state", *own)))[0] == 200
    followed = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"]
    assert status_of(client.raw(get(f"/{TOKEN}/", *followed)))[0] == 200
    assert status_of(client.raw(get(f"/{TOKEN}", *followed)))[0] in (302, 307)


def test_no_other_site_may_read_or_frame_what_is_answered(client):
    for path in ("", "api/state", "api/nothing"):
        headers = client.ask("GET", path).headers
        assert "access-control-allow-origin" not in headers
        assert headers["content-security-policy"].startswith("default-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "path",
    ["static/../application.py", "static/../../../../etc/passwd", "static/%2e%2e/application.py",
     "static/..%2fapplication.py", "static//etc/passwd", "static/%2fetc%2fpasswd",
     "static/..\\application.py", "static/index.html%00", "static/", "static/nothing.js",
     "../etc/passwd", "api/sessions/../../../etc/passwd/outline", "api/sessions/%2e%2e/outline",
     "api/sessions/x/images/0", "api/sessions/x/images/../../y", "api/sessions/x/images/-1",
     "api/sessions/x/download", "api/nothing"],
)  # fmt: skip
def test_a_path_leads_nowhere(client, path):
    answer = client.raw(get(f"/{TOKEN}/{path}"))
    status, _ = status_of(answer)
    assert status in (403, 404), answer
    assert b"root:" not in answer and b"import" not in answer and b"Traceback" not in answer


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "POST", "JUNK"])
def test_other_methods_are_refused_in_a_sentence(client, method):
    status, content = status_of(client.raw(get(f"/{TOKEN}/api/state", method=method)))
    assert status == 405 and content["error"]


BODIES = {
    "not JSON": b"{", "empty": b"", "a list": b"[]", "NaN": b'{"objects": NaN}', "null": b"null",
    "deep": b"[" * 100_000, "not UTF-8": b'{"objects": "\xff\xfe"}',
    "deep object": b'{"objects":' + b'[{"id":' * 50_000,
    "no objects": b'{"revision": 1}', "a quality": b'{"objects": [], "quality": "best"}',
    "revision": b'{"objects": [], "revision": "1"}',
    "negative": b'{"objects": [], "revision": -1}', "true": b'{"objects": [], "revision": true}',
    "huge revision": b'{"objects": [], "revision": 1' + b"0" * 400 + b"}",
    "long number": b'{"objects": [], "revision": ' + b"9" * 5000 + b"}",
    "text for points": b'{"objects": [{"id": "a", "label": "b", "points": "c"}]}',
    "NaN point": b'{"objects": [{"id": "a", "label": "b", "points": [[NaN, 0, 0]]}]}',
    "infinite": b'{"objects": [{"id": "a", "label": "b", "points": [[1e999, 0, 0]]}]}',
}  # fmt: skip


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_what_is_not_as_the_page_sends_it_is_refused_in_a_sentence(client, body):
    session = client.open()["session"]
    answer = client.ask("PUT", f"api/sessions/{session}/objects", content=body)
    assert answer.status_code == 400 and answer.json()["error"]
    opening = client.ask("POST", "api/sessions", content=body)
    assert opening.status_code == 400 and opening.json()["error"]
    few = ball() | {"points": points_of()[:3]}
    assert client.put(session, [few]).status_code == 200  # the server goes on


def test_ten_thousand_points_are_refused(client):
    session = client.open()["session"]
    answer = client.put(session, [ball() | {"points": points_of()[:1] * 10_000}])
    assert answer.status_code == 400 and "10000 points" in answer.json()["error"]
    many = client.put(session, [ball(str(number)) for number in range(101)])
    assert many.status_code == 400 and "101 objects" in many.json()["error"]


def test_a_huge_body_is_refused_before_it_is_read(serve, tmp_path):
    client = serve(json_mb=0.1, upload_gb=0.001)
    session = client.open()["session"]
    for path in (f"api/sessions/{session}/objects", "api/sessions", "api/cases"):
        method = "PUT" if "objects" in path else "POST"
        kind = "multipart/form-data; boundary=x" if path == "api/cases" else "application/json"
        head = get(f"/{TOKEN}/{path}", f"Content-Length: {10**12}", f"Content-Type: {kind}",
                   method=method)  # fmt: skip
        status, content = status_of(client.raw(head + b"{"))
        assert status == 413 and "bytes" in content["error"]
    big = client.ask("PUT", f"api/sessions/{session}/objects", content=b" " * 200_000)
    assert big.status_code == 413
    mask = client.ask("PUT", f"api/sessions/{session}/brush?object=a", content=b" " * 2_000_000)
    assert mask.status_code == 413
    assert not list((tmp_path / "uploads").iterdir())


def chunks(client, path, method, parts, kind):
    """Send a body whose size is not announced."""
    with socket.create_connection(("127.0.0.1", client.port), timeout=20) as connection:
        head = get(f"/{TOKEN}/{path}", "Transfer-Encoding: chunked", f"Content-Type: {kind}",
                   method=method)  # fmt: skip
        connection.sendall(head)
        try:
            for part in parts:
                connection.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            connection.sendall(b"0\r\n\r\n")
        except OSError:
            pass  # refused in the middle
        return connection.recv(65536)


def test_a_body_that_does_not_say_its_size_is_refused_where_it_is_too_long(serve, tmp_path):
    client = serve(json_mb=0.1, upload_gb=0.001)
    session = client.open()["session"]
    answer = chunks(client, f"api/sessions/{session}/objects", "PUT", [b" " * 50_000] * 8,
                    "application/json")  # fmt: skip
    assert b" 413 " in answer
    first = b'--x\r\ncontent-disposition: form-data; name="files"; filename="a.nii"\r\n\r\n'
    answer = chunks(client, "api/cases", "POST", [first, *[b"0" * 500_000] * 8],
                    "multipart/form-data; boundary=x")  # fmt: skip
    assert b" 413 " in answer
    assert not list((tmp_path / "uploads").iterdir())


@pytest.mark.parametrize("body", [b"", b"junk", b"--x--", b"--x\r\n\r\n"])
def test_an_upload_that_is_none_is_refused_in_a_sentence(client, body):
    kind = {"content-type": "multipart/form-data; boundary=x"}
    answer = client.ask("POST", "api/cases", content=body, headers=kind)
    assert answer.status_code == 400 and answer.json()["error"]
    assert client.ask("POST", "api/cases", json={}).status_code == 400


def test_uploads_have_their_limits(serve, tmp_path):
    client = serve(uploads_gb=0.0001)
    image = nibabel.Nifti1Image(np.zeros((45, 40, 50), np.uint8), np.eye(4))
    files = [("files", ("a.nii", image.to_bytes()))]
    assert client.ask("POST", "api/cases", files=files).status_code == 200
    answer = client.ask("POST", "api/cases", files=files)
    assert answer.status_code == 413 and "together" in answer.json()["error"]
    assert len(list((tmp_path / "uploads").iterdir())) == 1


def test_an_upload_that_is_no_image_is_refused_by_its_name_and_takes_no_room(serve, tmp_path):
    client = serve(uploads_gb=0.0004)
    cases = client.get("api/cases")["cases"]
    good = ("files", ("one.nii.gz", (tmp_path / "images" / "one.nii.gz").read_bytes()))
    cut = ("files", ("C:\\scans\\cut.nii.gz", b"x" * 60_000))
    letters = [("files", (f"letter {number}.doc", b"x" * 30_000)) for number in range(2)]
    for _ in range(7):  # 60 kB and more each time, of 400
        answer = client.ask("POST", "api/cases", files=[good, cut])
        assert answer.status_code == 400 and "cut.nii.gz" in answer.json()["error"]
        answer = client.ask("POST", "api/cases", files=letters)
        assert answer.status_code == 400 and "letter 0.doc" in answer.json()["error"]
    assert client.get("api/cases")["cases"] == cases
    assert not list((tmp_path / "uploads").iterdir())


def test_a_server_may_take_no_uploads(serve):
    client = serve(uploads=False)
    assert not client.get("api/state")["uploads"]
    answer = client.ask("POST", "api/cases", files=[("files", ("a.nii.gz", b"x"))])
    assert answer.status_code == 400 and "takes no uploads" in answer.json()["error"]


def test_a_hundred_sessions_are_too_many(serve):
    client = serve(sessions=10)
    case = client.case()["id"]
    answers = []

    def open_ten():
        for _ in range(10):
            answers.append(client.ask("POST", "api/sessions", json={"case": case}))

    threads = [threading.Thread(target=open_ten) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    opened = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 503]
    assert (len(opened), len(refused)) == (10, 90) and len(client.served.store) == 10
    for answer in refused:
        assert 1 <= int(answer.headers["retry-after"]) <= 30 and "10 images" in answer.text
    client.ask("DELETE", f"api/sessions/{opened[0].json()['session']}")
    assert client.ask("POST", "api/sessions", json={"case": case}).status_code == 200


def test_what_is_not_open_is_not_found(client):
    for method, path in (("PUT", "objects"), ("PUT", "brush"), ("GET", "outline"),
                         ("POST", "save"), ("GET", "download"), ("POST", "alive")):  # fmt: skip
        answer = client.ask(method, f"api/sessions/unknown/{path}")
        assert answer.status_code == 404 and "no longer open" in answer.json()["error"]
    assert client.ask("DELETE", "api/sessions/unknown").status_code == 204
    for case, model in (("unknown", None), ("../../etc", None), (1, None), ("x", "../x")):
        answer = client.ask("POST", "api/sessions", json={"case": case, "model": model})
        assert answer.status_code == 400 and answer.json()["error"]
    model = {"case": client.case()["id"], "model": "../../starter"}
    answer = client.ask("POST", "api/sessions", json=model)
    assert answer.status_code == 400 and "no model of this name" in answer.json()["error"]


def test_a_client_that_vanishes_leaves_the_server_at_work(client):
    session = client.open()["session"]
    content = json.dumps({"objects": [ball()], "quality": "full", "revision": 1}).encode()
    path = f"/{TOKEN}/api/sessions/{session}/objects"
    head = get(path, f"Content-Length: {len(content)}", "Content-Type: application/json",
               method="PUT")  # fmt: skip
    client.raw(head + content[:40], shut=True)  # in the middle of what it says
    client.raw(head + content, shut=True)  # before it is answered
    client.raw(head[:20], shut=True)  # in the middle of its first line
    deadline = time.monotonic() + 60
    while client.served.store.get(session).outlines.instance is None:
        assert time.monotonic() < deadline  # what it has asked for is done
        time.sleep(0.05)
    assert client.put(session, [ball("a", 1)], revision=2).status_code == 200


def test_what_is_no_request_is_refused(client):
    line = f"GET /{TOKEN}/\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    for data in (line, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"GET\r\n\r\n", b"\0" * 1000,
                 get(f"/{TOKEN}/", "X: " + "a" * 200_000)):  # fmt: skip
        answer = client.raw(data)
        assert answer == b"" or b" 4" in answer[:16]
    assert client.get("api/state")


def test_users_are_not_told_where_folders_lie(serve, tmp_path):
    client = serve()
    (tmp_path / "images" / "one.nii.gz").write_bytes(b"broken meanwhile")
    answers = [
        client.ask("POST", "api/sessions", json={"case": case["id"]})
        for case in client.get("api/cases")["cases"]
    ]
    assert [answer.status_code for answer in answers] == [400, 200]
    assert answers[0].json()["error"].startswith("images/one.nii.gz: ")
    session = answers[1].json()["session"]
    client.outlined(session, [ball()])
    answers.append(client.ask("POST", f"api/sessions/{session}/save", json={}))
    assert "saved/two.nii.gz" in answers[-1].json()["files"]
    files = [("files", ("a.nii.gz", b"no image"))]
    answers += [client.ask("POST", "api/cases", files=files), client.ask("GET", "api/cases")]
    for answer in answers:
        assert str(tmp_path) not in answer.text and "/tmp" not in answer.text


@pytest.mark.parametrize("value", [2**32, 10**11, 10**90])
def test_a_value_that_no_label_map_can_hold_is_refused(client, value):
    session = client.open()["session"]
    answer = client.put(session, [ball(label=str(value))])
    assert answer.status_code == 400 and "1 to 4294967295" in answer.json()["error"]


def test_half_a_character_is_answered(client):
    session = client.open()["session"]
    odd = '{"objects": [{"id": "\\ud800", "label": "x", "points": []}]}'
    answer = client.ask("PUT", f"api/sessions/{session}/objects", content=odd)
    assert answer.status_code == 200 and answer.json()["objects"][0]["id"] == "?"
