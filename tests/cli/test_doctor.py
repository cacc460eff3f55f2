"""``interactivenet doctor``: what it prints, its exit status, and that it leaves nothing."""

import json
import sys

import pytest
from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.doctor import cuda, examination, gpu, versions
from interactivenet.doctor.checks import Check
from interactivenet.doctor.gpu import Card, GpuFacts


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """No libraries are imported for a try, and no card is there, wherever this runs."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(versions, "check_imports", lambda: [Check("imports", "ok", "fine")])
    monkeypatch.setattr(gpu, "read_gpu", lambda: GpuFacts())


def doctor(root, *words, **folders):
    names = {name: root / name for name in ("raw", "processed", "results")} | folders
    given = [word for name, path in names.items() for word in (f"--{name}", str(path))]
    return CliRunner().invoke(main, ["doctor", *words, *given])


def test_a_good_machine(tmp_path):
    done = doctor(tmp_path)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == "no problems"
    for subject in ("interactivenet", "libraries", "gpu", "cpu", "kernels", "memory",
                    "shared memory", "raw", "processed", "results", "mlflow"):  # fmt: skip
        assert any(line.split(maxsplit=1)[1].startswith(subject)
                   for line in done.stdout.splitlines()[:-1]), subject  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_a_problem_is_exit_status_1_with_its_remedy(tmp_path):
    (tmp_path / "file").write_text("x")
    done = doctor(tmp_path, results=tmp_path / "file")
    assert done.exit_code == 1
    (line,) = [one for one in done.stdout.splitlines() if one.startswith("problem")]
    assert "results" in line and "is not a folder" in line and "remedy: " in line
    assert done.stdout.splitlines()[-1] == "1 problem"


def test_json(tmp_path):
    (tmp_path / "file").write_text("x")
    done = doctor(tmp_path, "--json", processed=tmp_path / "file")
    assert done.exit_code == 1
    content = json.loads(done.stdout)
    assert set(content) == {"version", "problems", "checks"} and content["problems"] == 1
    for check in content["checks"]:
        assert set(check) == {"subject", "status", "found", "remedy"}
        assert check["status"] in ("ok", "note", "problem") and check["found"]
    (problem,) = [one for one in content["checks"] if one["status"] == "problem"]
    assert problem["subject"] == "processed"


def test_a_required_gpu(tmp_path):
    assert doctor(tmp_path).exit_code == 0
    done = doctor(tmp_path, "--require-gpu", "--json")
    assert done.exit_code == 1
    (problem,) = [c for c in json.loads(done.stdout)["checks"] if c["status"] == "problem"]
    assert problem["subject"] == "gpu"


def test_each_card_is_judged_and_tried(tmp_path, monkeypatch):
    cards = (Card("H100", 80 * 10**9, (9, 0), bf16=True), Card("old", 10**9, (6, 1), bf16=False))
    facts = GpuFacts("13.0", ("sm_90",), "580.1", (13, 0), nodes=2, cards=cards)
    tried = [Check("gpu test", "ok", "computes")]
    monkeypatch.setattr(gpu, "read_gpu", lambda: facts)
    monkeypatch.setattr(cuda, "check_card", lambda number: tried if number else 1 / 0)
    done = doctor(tmp_path, "--require-gpu", "--json")
    found = [(one["subject"], one["status"]) for one in json.loads(done.stdout)["checks"]]
    assert done.exit_code == 1
    assert [one for one in found if one[0].startswith(("driver", "gpu"))] == [
        ("driver", "ok"), ("gpu 0", "ok"), ("gpu 1", "problem"), ("gpu 0 test", "problem"),
        ("gpu test", "ok"),
    ]  # fmt: skip


def test_what_cannot_be_imported_is_not_used(tmp_path, monkeypatch):
    broken = [Check("torch", "problem", "cannot be imported", "another image")]
    monkeypatch.setattr(versions, "check_imports", lambda: broken)
    monkeypatch.setattr(examination, "_computing", lambda _: pytest.fail("imports torch"))
    done = doctor(tmp_path, "--json")
    assert done.exit_code == 1
    found = {one["subject"]: one["status"] for one in json.loads(done.stdout)["checks"]}
    assert found["torch"] == "problem" and found["gpu"] == "note" and found["raw"] == "ok"
    done = doctor(tmp_path, "--json", "--require-gpu")
    assert json.loads(done.stdout)["problems"] == 2


def test_an_unexpected_error_is_a_line(tmp_path, monkeypatch):
    def fail():
        raise OSError("no\nluck")

    monkeypatch.setattr(gpu, "read_gpu", fail)
    monkeypatch.setattr(versions, "check_versions", fail)
    done = doctor(tmp_path)
    assert done.exit_code == 1 and "Traceback" not in done.output
    assert done.stdout.count("unexpected OSError: no luck") == 2
    assert "kernels" in done.stdout and done.stdout.splitlines()[-1] == "2 problems"


def test_a_terminal_is_not_spoken_to(tmp_path, monkeypatch):
    evil = [Check("imports", "ok", "a \x1b[31mname")]
    monkeypatch.setattr(versions, "check_imports", lambda: evil)
    assert "\x1b" not in doctor(tmp_path).stdout


def test_help_imports_nothing_heavy():
    import subprocess

    code = (
        "import sys; from interactivenet.cli import main\n"
        "try: main(['doctor', '--help'])\nexcept SystemExit: pass\n"
        "heavy = {'numpy', 'torch', 'rich', 'numba', 'interactivenet.doctor'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
