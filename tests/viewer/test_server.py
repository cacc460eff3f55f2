"""The command: addresses, the token, the port, the end."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from interactivenet.viewer.server import TOKEN_VARIABLE
from tests.viewer.serving import ball, write_image

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = re.compile(r"open in a browser: (http://127\.0\.0\.1:(\d+)/([\w-]+)/)\n.*Slicer: http.*\n")


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    write_image(folder / "one.nii.gz")
    return folder


@contextmanager
def command(folder, *words, **variables):
    """Run the command; gives its process, and the file that it writes to."""
    log = folder.parent / "log"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), **variables}
    line = [sys.executable, "-m", "interactivenet", "serve", str(folder), "--no-browser", *words]
    with log.open("wb") as out:
        process = subprocess.Popen(
            line, cwd=folder.parent, env=environment, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            yield process, log
        finally:
            process.kill()
            process.wait()


def page_of(process, log):
    """Wait for both addresses; returns that of the page, its port and its token."""
    deadline = time.monotonic() + 120
    while not (match := PAGE.search(log.read_text(encoding="utf-8"))):
        assert process.poll() is None and time.monotonic() < deadline, log.read_text(
            encoding="utf-8"
        )
        time.sleep(0.1)
    return match.groups()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal_and_ends_in_seconds_with_a_network_at_work(images, number):
    with command(images, "--port", "0") as (process, log):
        page, port, token = page_of(process, log)
        assert f"http://127.0.0.1:{port}/monai/{token}\n" in log.read_text(encoding="utf-8")
        with httpx.Client(base_url=page, timeout=60) as client:
            case = client.get("api/cases").json()["cases"][0]["id"]
            session = client.post("api/sessions", json={"case": case}).json()["session"]
            content = {"objects": [ball(str(n), n % 2) for n in range(40)], "quality": "full"}
            for objects in content["objects"]:  # each of them other points: a minute of work
                objects["points"][0][0] += 0.01 * int(objects["id"])
            with pytest.raises(httpx.ReadTimeout):
                client.put(f"api/sessions/{session}/objects", json=content, timeout=2)
            process.send_signal(number)
            assert process.wait(25) == 0  # long before that work is done
    lines = log.read_text(encoding="utf-8").splitlines()
    assert lines[-1] == "ended" and "Traceback" not in log.read_text(encoding="utf-8")
    addresses = [line for line in lines if token in line]
    assert len(addresses) == 2  # no request is told with it


@pytest.mark.parametrize("seconds", [0, 0.7, 1.4, 2.1])
def test_it_ends_well_while_it_loads_its_first_model(images, seconds):
    with command(images, "--port", "0") as (process, log):
        page_of(process, log)
        time.sleep(seconds)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text(encoding="utf-8")
    assert log.read_text(encoding="utf-8").splitlines()[-1] == "ended"
    assert "the server ends" not in log.read_text(encoding="utf-8")


def test_another_start_has_another_token_unless_it_is_given(images):
    tokens = []
    for given in ({}, {}, {TOKEN_VARIABLE: "a_token-of-16-or-more"}):
        with command(images, "--port", "0", **given) as (process, log):
            tokens.append(page_of(process, log)[2])
    assert len(set(tokens)) == 3 and tokens[2] == "a_token-of-16-or-more"
    assert min(map(len, tokens[:2])) >= 32
    with command(images, "--port", "0", **{TOKEN_VARIABLE: "short"}) as (process, log):
        assert process.wait(60) == 2
    assert log.read_text(encoding="utf-8").count(
        "\n"
    ) == 1 and "16 to 128 letters" in log.read_text(encoding="utf-8")


def test_a_port_in_use_is_one_line(images):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with command(images, "--port", port) as (process, log):
            assert process.wait(60) == 2
    (line,) = log.read_text(encoding="utf-8").splitlines()
    assert f"--port {port}: " in line and "in use" in line and "0 for any that is free" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "no.such.name.invalid"], "is no address of this machine"),
        (["--model", "nothing"], "there is no model 'nothing'"),
        (["--task", "nothing"], "task name 'nothing'"),
    ],
)
def test_what_cannot_be_served_is_one_line(images, words, said):
    with command(images, "--port", "0", *words) as (process, log):
        assert process.wait(60) == 2
    assert len(log.read_text(encoding="utf-8").splitlines()) == 1 and said in log.read_text(
        encoding="utf-8"
    )
