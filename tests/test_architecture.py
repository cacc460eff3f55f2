"""Who may import whom, and which words belong to the command line alone."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import interactivenet
from tests.source_texts import Text, texts_of

PACKAGE = Path(interactivenet.__file__).parent
SETTINGS = PACKAGE.parent / "pyproject.toml"

#: rooms that face a terminal or a machine, and may say how things are typed there
OUTSIDE = {"cli", "doctor"}
#: an option by its long name, but not a rule of dashes; after a word boundary, not within one
LONG_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
#: an option by its short name, in a text that is about a command
SHORT_OPTION = re.compile(r"(?<![\w-])-[a-z]{1,2}(?=[\s'\"`/,.)]|$)")
COMMAND = re.compile(r"\binteractivenet [a-z]|\bcommand line\b|\boption\b")
#: a command as one types it, in a text that a user reads
TYPED = re.compile(r"['\"`](?:interactivenet|make) [a-z]+")
#: what starts containers and jobs; the files that bear the name (Dockerfile) are another word
CONTAINERS = re.compile(r"(?<![\w./-])(docker|sbatch|apptainer|singularity)\b(?!/)", re.IGNORECASE)

#: options of other programs that a file runs
FOREIGN = {
    "system/provenance.py": {  # git
        "--abbrev", "--always", "--dirty", "--exclude", "--no-optional-locks",
    },
}  # fmt: skip


@pytest.fixture
def linter(tmp_path):
    """Return a function that lints a copy of the package, with a file's text added to."""
    shutil.copytree(
        PACKAGE, tmp_path / "interactivenet", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(SETTINGS, tmp_path)

    def lint(file="", text=""):
        if file:
            path = tmp_path / "interactivenet" / file
            path.parent.mkdir(exist_ok=True)
            with path.open("a") as module:
                module.write(f"\n{text}\n")
        program = "import sys; from importlinter.cli import lint_imports_command as lint; lint()"
        done = subprocess.run(
            [sys.executable, "-c", program, "--no-cache", "--no-logo"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(tmp_path), "COLUMNS": "200"},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return done.returncode, done.stdout

    return lint


def test_the_floors_hold(linter):
    status, report = linter()
    assert status == 0, report


@pytest.mark.parametrize(
    ("file", "text", "refusal"),
    [
        (
            "imaging/io.py",
            "def f():\n    from interactivenet.pipeline import plan",
            "interactivenet.imaging is not allowed to import interactivenet.pipeline",
        ),
        (
            "evaluation/metrics.py",
            "from interactivenet.training import trainer",
            "interactivenet.evaluation is not allowed to import interactivenet.training",
        ),
        (
            "errors.py",
            "import interactivenet.system.files",
            "interactivenet.errors is not allowed to import interactivenet.system",
        ),
        ("pipeline/plan.py", "import click", "interactivenet.pipeline.plan -> click"),
        ("datasets/task.py", "from rich import table", "interactivenet.datasets.task -> rich"),
        ("viewer/server.py", "import click", "interactivenet.viewer.server -> click"),
        ("pipeline/plan.py", "import uvicorn", "interactivenet.pipeline.plan -> uvicorn"),
        ("helpers/__init__.py", "", "- interactivenet.helpers"),
        (
            "imaging/geometry.py",
            "def f():\n    from interactivenet.imaging import io",
            "No cycles are allowed in interactivenet.imaging",
        ),
    ],
)
def test_a_wrong_import_is_refused(linter, file, text, refusal):
    status, report = linter(file, text)
    assert status == 1
    assert refusal in " ".join(report.split()), report


def test_the_public_face_may_name_what_lies_below_it(linter):
    """Whoever reads the version from it does not import what else it names."""
    linter("__init__.py", "def f():\n    from interactivenet.pipeline import plan")
    _, report = linter("imaging/io.py", "from interactivenet import __version__")
    assert "interactivenet.imaging is not allowed to import" not in report


def words_of_the_outside(text):
    """Return what a text says that only the command line may say."""
    words = LONG_OPTION.findall(text) + CONTAINERS.findall(text) + TYPED.findall(text)
    return words + (SHORT_OPTION.findall(text) if COMMAND.search(text) else [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("give --raw or --no-mlflow", ["--raw", "--no-mlflow"]),
        ("'--overwrite' starts over", ["--overwrite"]),
        ("run 'interactivenet plan -t Task101_X' first", ["'interactivenet plan", "-t"]),
        ("``interactivenet plan``: a command", ["`interactivenet plan"]),
        ("the option -in", ["-in"]),
        ("-o / --output: expected a folder", ["--output"]),
        ("start docker, or Apptainer, or sbatch", ["docker", "Apptainer", "sbatch"]),
        ("nothing of the kind: `overwrite=True`, `plan(task='T')`", []),
        ("a - b, x-y, x--y, -1, --, ---", []),
        ("CASE-in-point of a command line", []),
        ("docker/Dockerfile, Dockerfile, .dockerignore, image.docker", []),
        ("the slope is -a here", []),
    ],
)
def test_what_counts_as_a_word_of_the_outside(text, words):
    assert words_of_the_outside(text) == words


def test_strings_docstrings_and_comments_are_read(tmp_path):
    path = tmp_path / "module.py"
    path.write_text('"""Doc."""\n# remark\nx = 1\nprint(f"say {x} --now", "plain")\n')
    assert set(texts_of(path)) == {
        Text("docstring", 1, "Doc."),
        Text("comment", 2, "# remark"),
        Text("message", 4, "say TEXT --now"),
        Text("message", 4, "plain"),
    }


def test_only_the_outside_speaks_of_options_and_containers():
    """The core names parameters and stages; the command line translates (cli/wording.py)."""
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        where = path.relative_to(PACKAGE)
        if where.parts[0] in OUTSIDE:
            continue
        for text in texts_of(path):
            words = words_of_the_outside(text.content)
            words = [word for word in words if word not in FOREIGN.get(where.as_posix(), ())]
            wrong += [f"{where}:{text.line}: {', '.join(words)} ({text.kind})"] if words else []
    assert not wrong, "\n".join(wrong)


#: what opens a file by its name: the last parts of the names of functions
OPENERS = {
    "open", "read_text", "read_bytes", "FileIO", "copyfile", "copy2", "copytree",
    "safe_open", "load_file", "memmap", "fromfile", "read_header", "SetFileName", "SetFileNames",
    "ReadImage", "GetGDCMSeriesIDs", "GetGDCMSeriesFileNames", "dcmread",
}  # fmt: skip
#: those of numpy and torch are common words
MODULES_THAT_LOAD = {"np", "numpy", "torch"}
#: what a module may open all the same, and last what its text says of why: it is the system's, is
#: written, was looked at by `check_regular` before, or is an open file
OPENED = {
    "datasets/placing.py": ("open", 'target.open("xb")'),
    "doctor/computer.py": ("read_text", "/proc/cpuinfo"),
    "doctor/folders.py": ("open", "read_bytes"),
    "doctor/gpu.py": ("read_text", "/proc/driver"),
    "doctor/mlflow_store.py": ("open", "changes nothing"),
    "encoding/compiling.py": ("copyfile", "_IN_TREE"),
    "evaluation/report.py": ("open", "check_regular(path)"),
    "grand_challenge/folder.py": ("open", "temporary.open"),
    "imaging/dicom/directory.py": ("dcmread", "path"),
    "imaging/dicom/files.py": ("dcmread", "open_bounded(path)"),
    "imaging/dicom/opening.py": ("FileIO", "dcmread", "check_regular(path)"),
    "imaging/dicom/pixels.py": ("dcmread", "SetFileNames", "ReadImage", "one.file.path"),
    "imaging/dicom/volumes.py": ("dcmread", "file.path"),
    "imaging/itk.py": ("ReadImage", "str(temporary)"),
    "imaging/metaimage.py": ("SetFileName", "open_regular(path)"),
    "imaging/nrrd.py": ("SetFileName", "read_header", "open_regular(path)"),
    "imaging/structures/reading/slicer_reading.py": ("read_header", "open_regular(path)"),
    "imaging/structures/writing/source_headers.py": ("dcmread", "check_regular(path)"),
    "inference/predictor.py": ("open", "self.open(image"),
    "models/download.py": ("open", 'self.part.open("ab")'),
    "models/network.py": ("safe_open", "load_file", "check_regular(path)"),
    "pipeline/evaluate_corrections.py": ("open", "predictor.open(scan)"),
    "pipeline/tracking.py": ("open", "tracker.open"),
    "plotting/contact_sheets.py": ("open", "read_bytes(path"),
    "plotting/snapshots.py": ("open", "check_regular(path)"),
    "postprocessing/probabilities.py": ("open", "temporary.open"),
    "system/archives.py": ("open", "archive.open"),
    "system/arrays.py": ("open", "load", "open_regular(path)"),
    "system/files.py": ("open", "read_bytes", "open_regular"),
    "system/journal.py": ("open", "check_regular(self.path)"),
    "system/mounts.py": ("read_text", "/proc/self/mountinfo"),
    "system/native_output.py": ("open", "memfd_create"),
    "system/resources.py": ("read_text", "_text(root / \"proc/self/cgroup\")"),
    "training/checkpointing.py": ("load", "check_regular(path)"),
    "viewer/monai_label/forms.py": ("open", 'path.open("xb")'),
    "viewer/monai_label/images.py": ("open", "self._store.open(image.entry, model"),
    "viewer/page_api.py": ("open", "store.open(entry, model)"),
    "viewer/sessions/scans.py": ("open", "model.full.open("),
    "viewer/worklist/uploads.py": ("open", 'path.open("xb")'),
    "viewer/sessions/warming.py": ("open", "predictor.open(scan)"),
}  # fmt: skip


def opened_in(path):
    """Return which of what opens a file by its name a module calls."""
    calls = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        name = getattr(function, "attr", getattr(function, "id", ""))
        of = getattr(getattr(function, "value", None), "id", "")
        if name in {"read_text", "read_bytes"} and isinstance(function, ast.Name):
            continue  # those of system/files.py
        if name in OPENERS or (name == "load" and of in MODULES_THAT_LOAD):
            calls.add(name)
    return calls


def test_files_are_read_through_one_place():
    """system/files.py opens regular files only; whoever else opens one by its name is known."""
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        where = path.relative_to(PACKAGE).as_posix()
        known = OPENED.get(where, ())
        if more := opened_in(path) - set(known):
            wrong.append(f"{where}: {', '.join(sorted(more))}: use system/files.py")
        elif known and known[-1] not in path.read_text(encoding="utf-8"):
            wrong.append(f"{where}: lacks {known[-1]!r}")
    assert not wrong, "\n".join(wrong)
