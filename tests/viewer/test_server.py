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
import uvicorn
from click.testing import CliRunner

from interactivenet.cli import main
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


def refusal(folder, monkeypatch, *words, **variables):
    """Run the command in this process; gives the one line in which it refuses to serve."""
    monkeypatch.setattr(uvicorn.Server, "run", lambda *_, **__: pytest.fail("it serves"))
    line = ["serve", str(folder), "--no-browser", "--port", "0", *words]
    done = CliRunner().invoke(main, line, env=variables)
    assert done.exit_code == 2, done.output
    (told,) = done.output.splitlines()
    return told


GIVEN = "a_token-of-16-or-more"


@pytest.mark.parametrize(
    ("number", "given"), [(signal.SIGTERM, {}), (signal.SIGINT, {TOKEN_VARIABLE: GIVEN})]
)
def test_it_serves_until_a_signal_and_ends_in_seconds_with_a_network_at_work(images, number, given):
    with command(images, "--port", "0", **given) as (process, log):
        page, port, token = page_of(process, log)
        assert (token == GIVEN) == bool(given)
        assert f"http://127.0.0.1:{port}/monai/{token}\n" in log.read_text(encoding="utf-8")
        with httpx.Client(base_url=page, timeout=60) as client:
            assert "<title>InteractiveNet</title>" in client.get("").text
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


def test_it_ends_well_while_it_loads_its_first_model_and_each_start_has_its_token(images):
    tokens = set()
    for seconds in (0, 0.8, 1.6):
        with command(images, "--port", "0") as (process, log):
            tokens.add(page_of(process, log)[2])
            time.sleep(seconds)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0, (seconds, log.read_text(encoding="utf-8"))
        told = log.read_text(encoding="utf-8")
        assert told.splitlines()[-1] == "ended", (seconds, told)
        assert "the server ends" not in told, (seconds, told)
    assert len(tokens) == 3 and min(map(len, tokens)) >= 32


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
def test_what_cannot_be_served_is_one_line(images, monkeypatch, words, said):
    assert said in refusal(images, monkeypatch, *words)


def test_a_token_that_is_too_short_is_one_line(images, monkeypatch):
    told = refusal(images, monkeypatch, **{TOKEN_VARIABLE: "short"})
    assert "16 to 128 letters" in told
