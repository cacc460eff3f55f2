"""What the tests of the image share: an engine, the image, and the stages that ran in it.

They run one after the other, in one process (make image-test, and make test beside all others).
"""

import fcntl
import os
import shutil
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
#: engines and images stay here from run to run, out of pytest's folder, which only its user reads
PLACE = REPOSITORY / "build" / "containers"
#: what both Apptainer and its ordinary user see
SHARED = PLACE / "shared"
IMAGE = "interactivenet:test"
TASK = "Task901_PHANTOM"
EPOCHS = 12
#: of the runs: nobody whom the image knows, where the tests may give files away
USER = 12345 if os.getuid() == 0 else os.getuid()
#: as whom Apptainer runs (tests/container/apptainer.sh); where it is installed, who runs the tests
ORDINARY = 1000 if os.getuid() == 0 else os.getuid()
#: as strict as an image can be run
HARDENED = (
    "--network", "none", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL",
    "--security-opt", "no-new-privileges", "--memory", "6g", "--shm-size", "64m",
    "--user", f"{USER}:{USER}",
)  # fmt: skip


def wanted():
    """Skip where nobody has asked for tests that may install an engine and fill a disk."""
    if not (os.environ.get("CI") or os.environ.get("CONTAINERS")):
        pytest.skip("builds an image and may install an engine: `make image-test` runs it")


def start_script(*words):
    """Start one of the scripts beside this file."""
    return subprocess.Popen(
        ["bash", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish_script(script):
    """Wait for a script; return what it printed, or skip as it says."""
    output, errors = script.communicate()
    if script.returncode == 77:
        pytest.skip(output.strip().splitlines()[-1])
    assert script.returncode == 0, output + errors
    return output


@dataclass(frozen=True)
class Engine:
    """A container engine.  command: its client.  env: how it is reached.  build: arguments."""

    command: str
    env: dict
    build: str

    def __call__(self, *words, check=True, **more):
        env = os.environ | self.env | more.pop("env", {})
        done = subprocess.run(
            [self.command, *map(str, words)], env=env, capture_output=True, text=True, **more
        )
        assert not check or done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done

    def script(self, *words, **more):
        """Run something that calls the engine itself."""
        env = os.environ | self.env | {"DOCKER": self.command}
        done = subprocess.run([*map(str, words)], env=env, capture_output=True, text=True, **more)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done


@pytest.fixture(scope="session")
def engine():
    wanted()
    PLACE.mkdir(parents=True, exist_ok=True)
    with (PLACE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until build.sh, which may run meanwhile, is done
    script, folder = HERE / "engine.sh", PLACE / "engine"
    lines = finish_script(start_script(script, "up", folder)).splitlines()
    settings = dict(line.split("=", 1) for line in lines)
    build = " ".join(
        f"--build-arg {name}='{settings[name]}'" for name in ("BASE_IMAGE", "BUILD_PACKAGES")
    )
    env = {name: settings[name] for name in ("DOCKER_HOST", "DOCKER_BUILDKIT") if name in settings}
    yield Engine(settings["DOCKER"], env, f"--network host {build}")
    subprocess.run(["bash", str(script), "down", str(folder)], check=True)


@pytest.fixture(scope="session")
def apptainer_script(engine, request):
    """What installs Apptainer, running while the image is built; None where nothing needs it."""
    needed = any("apptainer" in item.fixturenames for item in request.session.items)
    if not needed or shutil.which("apptainer"):
        yield None
        return
    SHARED.mkdir(parents=True, exist_ok=True)
    with start_script(HERE / "apptainer.sh", "up", PLACE / "apptainer", SHARED) as script:
        yield script


@pytest.fixture(scope="session")
def image(engine, apptainer_script):
    """The name of the image, built by ``make image``."""
    engine.script(
        "make", "-C", REPOSITORY, "image", f"DOCKER={engine.command}", f"IMAGE={IMAGE}",
        f"BUILD_ARGS={engine.build}",
    )  # fmt: skip
    return IMAGE


@dataclass(frozen=True)
class Stages:
    """Runs commands of the image on two folders, as strictly as can be."""

    engine: Engine
    image: str
    root: Path
    data: str = "/data"

    @property
    def results(self):
        return self.root / "results" / TASK

    @property
    def mounts(self):
        return ("-v", f"{self.root}/data:{self.data}", "-v", f"{self.root}/results:/results")

    def run(self, *words, options=(), check=True):
        """Run one command to its end."""
        return self.engine(
            "run", "--rm", *HARDENED, *self.mounts, *options, self.image, *words, check=check
        )

    def start(self, *words):
        """Start one command and return its container's id."""
        words = ("run", "--detach", *HARDENED, *self.mounts, self.image, *words)
        return self.engine(*words).stdout.strip()


def given_away(folder, user):
    """Make a folder that belongs to a user."""
    folder.mkdir(parents=True)
    if os.getuid() == 0:
        os.chown(folder, user, user)
    return folder


@pytest.fixture(scope="session")
def planned(engine, image, tmp_path_factory):
    """The stages up to the plan, each in a container of its own."""
    root = tmp_path_factory.mktemp("chain")
    for name in ("data", "results"):
        given_away(root / name, USER)
    stages = Stages(engine, image, root)
    size = ("--shape", "40", "40", "20", "--spacing", "1", "1", "2")
    stages.run(
        "dataset", "phantom", "-t", TASK, "--cases", "4", "--test-cases", "2", "-m", "CT", *size
    )
    stages.run("simulate", "-t", TASK)
    stages.run("dataset", "-t", TASK)
    stages.run("plan", "-t", TASK, "--preset", "tiny", "-f", "2")
    return stages


@dataclass(frozen=True)
class Stopped:
    """A training that was stopped and started again.

    status, log: of the stopped container.  checkpoint: whether one was there.  epochs: finished
    by then.  again: what the same command printed.
    """

    stages: Stages
    status: int
    log: str
    checkpoint: bool
    epochs: int
    again: str


@pytest.fixture(scope="session")
def trained(planned):
    """Two folds, of which the first was stopped by ``docker stop`` and went on."""
    words = ("train", "-t", TASK, "-f", "all", "-e", EPOCHS, "--precision", "fp32")
    planned = replace(planned, data="/data:ro")  # which is enough from here on
    engine, fold = planned.engine, planned.results / "fold_0"
    name = planned.start(*words)
    deadline = time.monotonic() + 240
    while not (fold / "checkpoint.ckpt").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    engine("stop", "--time", "30", name)  # 10 by default, which is enough where nothing else runs
    status = int(engine("inspect", "-f", "{{.State.ExitCode}}", name).stdout)
    done = engine("logs", name)
    engine("rm", name)
    rows = (fold / "metrics.csv").read_text().splitlines() if fold.exists() else []
    checkpoint = (fold / "checkpoint.ckpt").exists()
    again = planned.run(*words).stdout
    log = done.stdout + done.stderr
    return Stopped(planned, status, log, checkpoint, len(rows) - 1, again)


@pytest.fixture(scope="session")
def tested(trained):
    """The stages after the training, up to the deployed model."""
    stages = trained.stages
    stages.run("test", "-t", TASK)
    stages.run("deploy", "-t", TASK, "--zip", "--grand-challenge", "/results/algorithm")
    return stages


@pytest.fixture(scope="session")
def apptainer(image, apptainer_script):
    """The folder that both Apptainer and its ordinary user see; ``apptainer`` is on PATH."""
    SHARED.mkdir(parents=True, exist_ok=True)
    SHARED.chmod(0o755)
    previous = os.environ["PATH"]
    if apptainer_script:
        finish_script(apptainer_script)
        os.environ["PATH"] = f"{PLACE / 'apptainer' / 'bin'}{os.pathsep}{previous}"
    yield SHARED
    os.environ["PATH"] = previous


@pytest.fixture(scope="session")
def sif(apptainer, engine, image):
    """The path of the SIF, built by ``make image-save sif``, whose build runs its %test.

    That of the same image is taken again: ``make test`` builds both while other tests run.
    """
    folder = apptainer / "build"
    log, number = folder / "log.txt", folder / "image.txt"
    whole = engine("image", "inspect", "-f", "{{.Id}}", image).stdout
    if number.is_file() and number.read_text(encoding="utf-8") == whole:
        (path,) = (folder / "dist").glob("*.sif")
        return path, log.read_text(encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in ("apptainer", "Makefile"):
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
        copy(REPOSITORY / name, folder / name)
    (folder / "interactivenet").mkdir()
    shutil.copy(REPOSITORY / "interactivenet" / "__init__.py", folder / "interactivenet")
    quickly = '--fakeroot --mksquashfs-args "-comp zstd -Xcompression-level 1"'
    done = engine.script(
        "env", "APPTAINER_AS_ROOT=1", "make", "-C", folder, "image-save", "sif",
        f"DOCKER={engine.command}", f"IMAGE={image}", f"SIF_ARGS={quickly}",
    )  # fmt: skip
    (path,) = (folder / "dist").glob("*.sif")
    log.write_text(done.stdout + done.stderr, encoding="utf-8")
    number.write_text(whole, encoding="utf-8")
    return path, done.stdout + done.stderr
