"""The models command: what is installed, from where, and what the user is told."""

import io
import json
import shutil
import zipfile

import pytest
from click.testing import CliRunner
from rich.console import Console

from interactivenet import legacy
from interactivenet.cli import main, models, reporting
from interactivenet.models import registry
from tests.model_server import make_task_bundle, make_zip, md5, serving

NAME = "Task800_WORC_MRI"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_task_bundle(tmp_path_factory.mktemp("models") / "Task001_A")


@pytest.fixture
def packed(bundle, tmp_path):
    return make_zip(bundle, tmp_path / "Task001_A.zip")


@pytest.fixture
def run(tmp_path):
    def run(*arguments, code=0):
        where = ["--results", str(tmp_path / "results")]
        done = CliRunner().invoke(main, ["models", *map(str, arguments), *where])
        assert done.exit_code == code, done.output
        assert code == 0 or done.stderr.splitlines()[-1].startswith("Error: ")
        return done.stdout + done.stderr

    return run


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "results/models"


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with serving() as made:
        monkeypatch.setattr(registry, "ZENODO", made.url)
        yield made


@pytest.fixture
def converted(bundle, monkeypatch):
    """What convert_model was called with; it makes the bundle of another model."""
    asked = []

    def convert(source, target, note, **more):
        asked.append((source.name, more))
        note("worth knowing")
        shutil.copytree(bundle, target)
        return target

    monkeypatch.setattr(legacy, "convert_model", convert)
    return asked


def original(tmp_path):
    path = tmp_path / "original.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("plans.json", '{"Fingerprint": {}}')
    return path.read_bytes()


def test_nothing_is_there(run, folder):
    told = run("list")
    assert f"{folder}: no model is installed" in told
    assert f"interactivenet models download {NAME}" in told
    assert not folder.exists()


def test_installed_listed_shown_removed(run, packed, folder):
    assert "Task001_A: installed; 'interactivenet infer -t Task001_A'" in run("install", packed)
    assert "already installed" in run("install", packed)
    line = next(one for one in run("list").splitlines() if one.startswith("Task001_A"))
    assert line.split()[:5] == ["Task001_A", "CT", "a", "2", "-"] and "kB" in line
    (folder / "Task001_A/MODEL_CARD.md").write_text("# Task001_A\n\x1b[2Jodd")
    assert "# Task001_A\n?[2Jodd" in run("show", "Task001_A")
    assert "removed" in run("remove", "Task001_A", "-y")
    assert list(folder.iterdir()) == []


def test_as_json(run, packed, folder):
    run("install", packed)
    run("install", packed, "--name", NAME)
    path = folder / "Task001_A/bundle.json"
    content = json.loads(path.read_text())
    content["cross_validation"] = {"metrics": {"dice": {"mean": 0.81234, "std": 0.1}}}
    path.write_text(json.dumps(content))
    (folder / "Task002_B").mkdir()
    told = json.loads(run("list", "--json"))
    first, broken, _ = told["installed"]
    assert first["labels"] == {"1": "a"} and first["folds"] == 2 and first["usable"]
    assert not broken["usable"] and "holds no bundle.json" in broken["fault"]
    assert [one["installed"] for one in told["published"]] == [True, False]
    table = run("list")
    assert "0.812 ± 0.100" in table and "Task002_B: cannot be used" in table
    assert f"download {NAME}" not in table
    assert "cannot be used" in run("show", "Task002_B")
    assert "0.812" in run("show", "Task001_A")


@pytest.mark.parametrize("how", [[NAME], ["-t", NAME]])
def test_a_published_model_is_converted(run, site, folder, tmp_path, converted, how):
    site.publish(**{NAME: original(tmp_path)})
    told = run("download", *how)
    assert (
        "converting it" in told
        and f"{NAME}: worth knowing" in told
        and f"{NAME}: installed" in told
    )
    assert converted == [(NAME, {"name": NAME, "label": "tumour", "modality": "T1"})]
    assert sorted(one.name for one in folder.iterdir()) == [".downloads", NAME]
    assert [one.name for one in (folder / ".downloads").iterdir() if one.name != ".lock"] == []
    asked = len(site.asked)
    assert "is installed already: --overwrite downloads it again" in run("download", *how)
    assert len(site.asked) == asked
    assert "already installed" in run("download", *how, "--overwrite")


def test_an_address_of_a_model_of_the_original_program(run, site, tmp_path, converted, folder):
    site.files["/m.zip"] = site.files["/Task007_X.zip"] = original(tmp_path)
    url = f"{site.url}/m.zip"
    assert "task name 'm': expected TaskXXX_NAME" in run("download", url, code=2)
    run("download", url, "--name", "Task006_Y")
    run("download", f"{site.url}/Task007_X.zip")
    assert [(source, more["name"], more["modality"]) for source, more in converted] == [
        ("m", "Task006_Y", None), ("Task007_X", "Task007_X", None),
    ]  # fmt: skip
    assert (folder / "Task006_Y/bundle.json").is_file()


def test_an_address(run, site, packed, folder):
    site.files["/Task001_A.zip"] = packed.read_bytes()
    url = f"{site.url}/Task001_A.zip"
    run("download", url, "--checksum", md5(b""), code=2)
    assert "no --checksum was given: the download is checked against" in run("download", url)
    told = run("download", url, "--checksum", md5(packed.read_bytes()))
    assert "no --checksum" not in told and "already installed" in told
    assert (folder / "Task001_A/bundle.json").is_file()


def test_the_progress_in_a_log_is_lines(run, site, folder, packed):
    data = packed.read_bytes()
    site.files["/m.zip"] = data
    url = f"{site.url}/m.zip"
    lines = [one for one in run("download", url).splitlines() if one.startswith(f"{url}: ")]
    assert 2 <= len(lines) <= 11 and lines[-1].endswith(lines[-1].partition(" of ")[2])
    assert "\x1b" not in "".join(lines)


def test_the_progress_on_a_terminal_is_a_bar(run, site, packed, monkeypatch):
    out = io.StringIO()
    made = Console(file=out, force_terminal=True, width=120)
    monkeypatch.setattr(reporting, "console", lambda: made)
    site.files["/m.zip"] = packed.read_bytes()
    told = run("download", f"{site.url}/m.zip")
    assert " of " not in told and "m.zip" in out.getvalue() and "━" in out.getvalue()


def test_a_download_that_cannot_be_installed_is_kept(run, site, folder):
    site.files["/m.zip"] = b"no zip"
    told = run("download", f"{site.url}/m.zip", code=2)
    assert "m.zip: is not a complete zip" in told and "m.zip: the download is kept" in told
    assert (folder / ".downloads/m.zip").is_file()
    assert [one.name for one in folder.iterdir()] == [".downloads"]


def test_the_archive_fails(run, site):
    assert "has no such file (404" in run("download", NAME, code=2)
    site.statuses = [503]
    assert "the server is busy (503" in run("download", NAME, code=2)


def test_another_model_of_the_name(run, packed, bundle, folder):
    run("install", packed)
    (folder / "Task001_A/fold_0.safetensors").write_text("x")
    assert "is a different model: --overwrite replaces it" in run("install", packed, code=2)
    assert "installed" in run("install", bundle, "--overwrite")


REQUESTS = {
    ("download",): "Missing argument 'NAME|URL'",
    ("download", "a", "-t", "b"): "not both",
    ("download", "Task999_NO"): "no published model is called 'Task999_NO'",
    ("download", "file:///etc/passwd"): "begins with https",
    ("download", "https://a.b/c.zip", "--checksum", "x"): "--checksum x: expected sha256:",
    ("install", "none.zip"): "does not exist",
    ("show", "Task001_A"): "has no model 'Task001_A'; installed: none",
    ("remove", "Task001_A", "-y"): "has no model 'Task001_A'; installed: none",
}


@pytest.mark.parametrize("request_", REQUESTS, ids=" ".join)
def test_wrong_requests(run, folder, request_):
    assert REQUESTS[request_] in run(*request_, code=2)
    assert not folder.exists()


def test_one_that_is_not_installed_is_shown(run):
    assert f"not installed: run 'interactivenet models download {NAME}'" in run("show", NAME)


def test_removing_asks(run, packed, folder, monkeypatch, tmp_path):
    run("install", packed)
    assert "add --yes to remove it" in run("remove", "Task001_A", code=2)
    monkeypatch.setattr(models, "_can_ask", lambda: True)
    command = ["models", "remove", "Task001_A", "--results", str(tmp_path / "results")]
    done = CliRunner().invoke(main, command, input="n\n")
    assert done.exit_code == 0 and "kept" in done.output and (folder / "Task001_A").is_dir()
    done = CliRunner().invoke(main, command, input="y\n")
    assert done.exit_code == 0 and not (folder / "Task001_A").exists()


@pytest.mark.parametrize("command", ["list", "download", "install", "show", "remove"])
def test_help(command):
    done = CliRunner().invoke(main, ["models", command, "-h"])
    assert done.exit_code == 0 and "--debug" in done.stdout


def test_the_starter_is_built_in(run, folder, packed, with_starter):
    run("install", packed)
    lines = run("list").splitlines()
    assert lines[0].split()[:2] == ["built", "in"]
    assert lines[1].split()[:4] == ["starter", "any", "object", "1"]
    told = json.loads(run("list", "--json"))
    (starter,) = told["built_in"]
    assert starter["name"] == "starter" and starter["usable"] and starter["modalities"] == ["any"]
    assert [one["name"] for one in told["installed"]] == ["Task001_A"]
    shown = run("show", "starter")
    assert f"starter: built in, in {with_starter}" in shown and "any object" in shown
    for words in (["-y"], []):
        told = run("remove", "starter", *words, code=2)
        assert "starter: is built in, a part of the package: it cannot be removed" in told
    assert (with_starter / "bundle.json").is_file()


def test_an_installation_without_a_starter(run, folder, without_starter):
    assert "built in" not in run("list") and json.loads(run("list", "--json"))["built_in"] == []
    assert "this installation has no starter model" in run("show", "starter", code=2)
    assert "cannot be removed" in run("remove", "starter", "-y", code=2)
