"""A container that serves: as another user, read-only, without a network but its own."""

import json

from tests.container.conftest import HARDENED, HERE, USER, given_away

TOKEN = "a-token-of-these-tests"


def test_a_container_serves(engine, image, tmp_path):
    """Asked from within, as it has no network: an engine may have no bridge to publish a port."""
    tmp_path.chmod(0o755)
    results = given_away(tmp_path / "results", USER)
    started = engine(
        "run", "--detach", *HARDENED, "--env", f"interactivenet_token={TOKEN}",
        "-v", f"{results}:/results", image, "serve", "--no-browser", "-o", "/results/annotated",
    ).stdout.strip()  # fmt: skip
    try:
        address = f"http://127.0.0.1:8000/monai/{TOKEN}"
        program = (HERE / "ask_server.py").read_text()
        done = engine(
            "exec", "--interactive", started, "python", "-", address, input=program, check=False
        )
        log = engine("logs", started)
        assert done.returncode == 0, done.stderr + log.stdout + log.stderr
        found = json.loads(done.stdout)
        engine("stop", "--time", "10", started)  # then it would be killed, with another status
        status = engine("inspect", "-f", "{{.State.ExitCode}}", started).stdout
    finally:
        engine("rm", "--force", started)
    assert found["models"] == ["starter"] and found["page"] == 200
    assert found["infer"] == [200, True]
    assert (found["without token"], found["other name"]) == (403, 421)
    code, answer = found["saved"]
    assert code == 200 and answer["segments"] == {"object": "brush"}
    assert {path.stat().st_uid for path in results.rglob("*")} == {USER}
    assert list((results / "annotated").glob("*.nii.gz"))
    assert int(status) in (0, 143)
    # it listens to its port, and says with which address
    assert f":8000/{TOKEN}/" in log.stdout and "/monai/" in log.stdout


def test_what_is_not_mounted_is_said(engine, image):
    for words, expected in [
        ("serve /scans", "-v FOLDER:/scans"),
        ("serve -o /saved", "-v FOLDER:/saved"),
        ("serve -t Task101_X", "-v FOLDER:/data"),
    ]:
        done = engine("run", "--rm", *HARDENED, image, *words.split(), check=False)
        assert done.returncode == 2 and expected in done.stderr, done.stdout + done.stderr


def test_its_port_is_known(engine, image):
    (found,) = json.loads(engine("image", "inspect", image).stdout)
    assert list(found["Config"]["ExposedPorts"]) == ["8000/tcp"]
