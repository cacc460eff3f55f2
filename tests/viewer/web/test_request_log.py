"""Requests are told, without what would let anybody else in."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from interactivenet.viewer.web.request_log import RequestLog, shown_path
from tests.viewer.serving import TOKEN, Lines, ball


def test_neither_the_token_nor_a_whole_id_is_told(client):
    session = client.open()["session"]
    client.outlined(session, [ball()])
    client.ask("POST", f"api/sessions/{session}/alive")
    client.ask("GET", "api/nothing?secret")
    lines = "\n".join(client.log.said)
    assert TOKEN not in lines and session not in lines and "secret" not in lines
    assert re.search(r"PUT /api/sessions/.{6}\.\.\./objects 200 \d+\.\d\d s", lines)
    assert "GET /api/nothing 404" in lines and "alive" not in lines


@pytest.mark.parametrize(
    ("path", "is_told"),
    [("/{}/", False), ("/{}/static/main.js", False), ("/{}/api/sessions/x/alive", False),
     ("/{}/api/cases", True), ("/monai/{}/info/", False), ("/monai/{}/session/", True),
     ("/monai/{}/datastore/", True)],
)  # fmt: skip
def test_what_is_asked_all_the_time_is_not_told_and_what_is_sent_is(path, is_told):
    lines, sent = Lines(), []

    async def send(message):
        sent.append(message)

    async def application(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})

    asked = {"type": "http", "method": "PUT", "path": path.format(TOKEN)}
    answering = RequestLog(application, TOKEN, lines)(asked, None, send)
    with ThreadPoolExecutor(1) as thread:  # in this one, a browser's loop may be running
        thread.submit(asyncio.run, answering).result()
    assert sent and bool(lines.said) is is_told


def test_a_path_controls_no_terminal():
    assert shown_path(f"/{TOKEN}/\x1b[31m\n", TOKEN) == "/?[31m?"
    assert shown_path("/monai/" + TOKEN + "/info/", TOKEN) == "/monai/info/"
    assert len(shown_path("/" + "a" * 9000, TOKEN)) < 300
