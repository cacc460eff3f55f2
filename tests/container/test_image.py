"""The image, started as users start it."""

import json

from tests.container.conftest import EPOCHS, HARDENED, TASK, USER, given_away


def test_it_says_what_it_is(engine, image):
    (found,) = json.loads(engine("image", "inspect", image).stdout)
    config = found["Config"]
    assert config["User"] not in ("", "root", "0")
    assert set(config["Volumes"]) == {"/data", "/results"}
    labels = config["Labels"]
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    label = "org.opencontainers.image"
    version, revision = labels[f"{label}.version"], labels[f"{label}.revision"]
    shown = engine("run", "--rm", image, "--version").stdout
    assert shown == f"interactivenet, version {version}, commit {revision}\n"


def test_without_arguments_it_prints_the_help(engine, image):
    done = engine("run", "--rm", *HARDENED, image)
    assert done.stdout.startswith("Usage: interactivenet") and "plan" in done.stdout
    assert done.stderr == ""


def test_it_says_how_to_mount(engine, image, tmp_path):
    tmp_path.chmod(0o755)  # what is read may belong to somebody else
    for options, words, expected in [
        ((), "plan -t X", "-v FOLDER:/data"),
        ((), "interactivenet plan -t X", "-v FOLDER:/data"),
        # MLflow's database, and a file beside no mount
        (
            ("-v", f"{tmp_path}:/in:ro", "-v", f"{given_away(tmp_path / 'out', USER)}:/out"),
            "infer -t X -i /in -in /in -o /out --model /in -m",
            "-v FOLDER:/results",
        ),
        ((), "prompts convert /opt/a.json /lost/b.csv", "-v FOLDER:/lost"),
        (("-v", f"{tmp_path}:/data"), "train -t X -f 0", "-v FOLDER:/results"),
        (("-v", f"{tmp_path}:/data:ro"), "simulate -t X", "mounted read-only"),
        (("-v", f"{tmp_path}:/data"), "simulate -t X", "--user"),
    ]:
        done = engine("run", "--rm", *HARDENED, *options, image, *words.split(), check=False)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stdout + done.stderr
        assert expected in done.stderr


def test_without_temporary_files_nothing_is_left_among_the_results(engine, image, tmp_path):
    """The doctor imports all that a training does."""
    results = given_away(tmp_path / "results", USER)
    options = [option for option in HARDENED if option not in ("--tmpfs", "/tmp")]
    engine("run", "--rm", *options, "-v", f"{results}:/results", image, "doctor", check=False)
    assert list(results.iterdir()) == []


def test_an_engines_own_first_process_is_no_reason_to_warn(engine, image):
    done = engine("run", "--rm", "--init", *HARDENED, image, "--version")
    assert done.stderr == "" and done.stdout.startswith("interactivenet, version")


def test_doctor_knows_the_limits(planned):
    """It says what --cpus and --memory leave, and not what the machine has; nothing stays."""
    before = sorted(one for one in planned.root.rglob("*"))
    done = planned.run("doctor", "--json", options=("--cpus", "1"))
    found = {one["subject"]: one for one in json.loads(done.stdout)["checks"]}
    assert "1 of" in found["cpu"]["found"] and "6.4 GB" in found["memory"]["found"]
    assert found["kernels"]["status"] == "ok" and "already compiled" in found["kernels"]["found"]
    assert found["GeodisTK"]["found"].startswith("installed")
    assert sorted(one for one in planned.root.rglob("*")) == before
    nowhere = planned.engine("run", "--rm", *HARDENED, planned.image, "doctor", check=False)
    assert nowhere.returncode == 0 and "nothing is mounted there" in nowhere.stdout


def test_the_kernels_are_in_it(engine, image):
    """Compiled kernels are loaded, not made: so they are on another day, in another layer."""
    program = (
        "from interactivenet.encoding import kernels, precompile; precompile.precompile();"
        "print({n: (sum(f.stats.cache_hits.values()), sum(f.stats.cache_misses.values()))"
        " for n, f in vars(kernels).items() if getattr(f, 'stats', None) and f.stats.cache_path})"
    )
    words = ("--entrypoint", "python", image, "-c", program)
    shown = engine("run", "--rm", *HARDENED, *words).stdout
    assert "{'settle': (2, 0), 'raster_scan': (2, 0)}" in shown


def test_a_stopped_training_goes_on(trained):
    """'docker stop' waits and kills then, which is status 137."""
    assert trained.status == 143, trained.log
    assert trained.checkpoint and 0 < trained.epochs < EPOCHS
    assert f"continuing after epoch {trained.epochs}," in trained.again
    for number in (0, 1):
        rows = (trained.stages.results / f"fold_{number}" / "metrics.csv").read_text().splitlines()
        assert [int(row.split(",")[0]) for row in rows[1:]] == list(range(1, EPOCHS + 1))


def test_the_whole_chain(tested):
    folder = tested.results / "evaluation"
    found = json.loads((folder / "metrics.json").read_text())
    assert found["summary"]["all"]["metrics"]["dice"]["n"] == 2
    assert found["summary"]["all"]["metrics"]["dice"]["mean"] > 0.4  # it has learnt something
    assert (folder / "report.html").exists()
    models = tested.root / "results" / "models"
    assert (models / TASK / "bundle.json").exists() and (models / f"{TASK}.zip").exists()
    run = json.loads((tested.results / "fold_0" / "run.json").read_text())
    assert run["status"] == "done"
    assert (tested.root / "results" / "mlflow.db").stat().st_size > 0


def test_what_is_written_belongs_to_the_user(tested):
    # but for what do_test_run.sh and another test put there, as who runs the tests
    others = (tested.root / "results" / "algorithm" / "test", tested.root / "data" / "case")
    files = [
        one for part in ("data", "results") for one in (tested.root / part).rglob("*")
        if not any(one.is_relative_to(other) for other in others)
    ]  # fmt: skip
    assert len(files) > 50
    assert {(one.stat().st_uid, one.stat().st_gid) for one in files} == {(USER, USER)}
