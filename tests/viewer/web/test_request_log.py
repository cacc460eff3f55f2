"""Requests are told, without what would let anybody else in."""

import re

from interactivenet.viewer.web.request_log import shown_path
from tests.viewer.serving import TOKEN, ball


def test_neither_the_token_nor_a_whole_id_is_told(client):
    session = client.open()["session"]
    client.outlined(session, [ball()])
    client.ask("POST", f"api/sessions/{session}/alive")
    client.ask("GET", "api/nothing?secret")
    lines = "\n".join(client.log.said)
    assert TOKEN not in lines and session not in lines and "secret" not in lines
    assert re.search(r"PUT /api/sessions/.{6}\.\.\./objects 200 \d+\.\d\d s", lines)
    assert "GET /api/nothing 404" in lines and "alive" not in lines


def test_a_path_controls_no_terminal():
    assert shown_path(f"/{TOKEN}/\x1b[31m\n", TOKEN) == "/?[31m?"
    assert shown_path("/monai/" + TOKEN + "/info/", TOKEN) == "/monai/info/"
    assert len(shown_path("/" + "a" * 9000, TOKEN)) < 300
