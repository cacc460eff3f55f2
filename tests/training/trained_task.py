"""A planned task of small phantoms, and folds of it to train."""

from interactivenet.cli import main
from interactivenet.phantom import PhantomSettings, write_phantom_task
from interactivenet.training.fold import read_fold
from interactivenet.training.run import Settings

NAME = "Task104_TRAIN"
#: as fast as it gets
QUICK = Settings(epochs=2, device="cpu", precision="fp32", workers=0)


def make_task(root, **changes):
    """Write, simulate, check and plan a task; returns the root with raw/ and processed/."""
    from click.testing import CliRunner

    folder = root / "raw" / NAME
    settings = {"cases": 4, "test_cases": 0, "shape": (24, 22, 16), "spacing": (1.5, 1.5, 2.5)}
    write_phantom_task(folder, PhantomSettings(**(settings | changes)))
    where = ["-t", NAME, "--raw", str(root / "raw")]
    plan = ["--processed", str(root / "processed"), "--preset", "tiny", "-f", "2", "--jobs", "1"]
    for command in (["simulate", *where], ["dataset", *where, "-m", "MR", "-l", "tumour"],
                    ["plan", *where, *plan]):  # fmt: skip
        done = CliRunner().invoke(main, command)
        assert done.exit_code == 0, done.output
    return root


def first_fold(root, number=0):
    return read_fold(root / "processed" / NAME, number)
