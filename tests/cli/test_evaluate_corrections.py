"""``evaluate-corrections``: what it prints, and how it ends."""

import shutil

import pytest

from interactivenet.inference.predictor import Predictor
from tests.cli.trained_command import CPU, case_of, copied_root, run
from tests.evaluation.painting_session import PaintingSession
from tests.training.trained_task import NAME

WORDS = ["evaluate-corrections", "-t", NAME, "--clicks", "2", "--no-tta", "--no-mlflow", *CPU]


@pytest.fixture
def painting(monkeypatch):
    open_session = Predictor.open

    def painted(self, image, **more):
        session = open_session(self, image, **more)
        return PaintingSession(session.segment, session.scan.image.grid, radius=3)

    monkeypatch.setattr(Predictor, "open", painted)


def test_a_table_and_where_the_page_is(trained, painting, tmp_path):
    out = tmp_path / "out"
    done = run(trained, *WORDS, "-o", out)
    assert done.exit_code == 0, done.output
    for text in ("2 labelled test cases", "over brush", "clicks heeded", "CVPR 2025 DSC_AUC"):
        assert text in done.output
    assert f"{out / 'corrections.html'}: 2 cases" in "".join(done.output.split("\n"))
    sloppy = run(trained, *WORDS, "-o", out, "--robot", "sloppy", "-s", "3")
    assert sloppy.exit_code == 0 and "CVPR 2025" not in sloppy.output


def test_it_ends_with_1_where_cases_failed(trained, painting, tmp_path):
    mine = copied_root(trained, tmp_path)
    case = case_of(mine)
    case.label.write_bytes(b"nothing")
    done = run(mine, *WORDS)
    assert done.exit_code == 1, done.output
    assert case.name in done.output and "1 case failed, see" in done.output
    shutil.rmtree(mine / "results" / NAME / "corrections")


def test_what_is_wrong_is_said_in_the_words_of_the_command_line(trained, tmp_path):
    done = run(trained, "evaluate-corrections")
    assert done.exit_code == 2 and "Missing option '-t / --task'" in done.output
    done = run(trained, *WORDS, "--model", "nobody", "-o", tmp_path / "out")
    assert done.exit_code == 2 and "--model: there is no model 'nobody'" in done.output
    done = run(trained, *WORDS, "-o", trained / "raw" / NAME)
    assert done.exit_code == 2 and "-o" in done.output and "contains input files" in done.output
