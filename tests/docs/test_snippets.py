"""The docs' Python runs as it stands, and so does that of the docstrings of what is promised."""

from __future__ import annotations

import doctest
import inspect
import shutil

import pytest

import interactivenet
from tests.docs.pages import PAGES, REPOSITORY, blocks
from tests.docs.test_commands import invocations
from tests.docs.workspace import TASK, make_workspace, run

#: marks: of shell that is run before the page's Python, of Python that needs what is not there
RUN, NOT_RUN = "run", "not run"
#: pages with Python, the tutorial, which trains, first
WITH_PYTHON = sorted(
    (page for page in PAGES if any(block.language == "python" for block in blocks(page))),
    key=lambda page: "tutorials" not in page,
)
PROMISED = [name for name in getattr(interactivenet, "__all__", []) if not name.startswith("_")]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return make_workspace(tmp_path_factory.mktemp("docs"))


@pytest.fixture
def workspace(prepared, tmp_path, monkeypatch):
    """Work in a copy of the prepared folder, as somebody who follows a page does."""
    folder = shutil.copytree(prepared, tmp_path / "work")
    for name in ("raw", "processed", "results"):
        monkeypatch.delenv(f"interactivenet_{name}", raising=False)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("page", WITH_PYTHON)
def test_snippets_of_a_page_run_in_their_order(page, workspace):
    names: dict[str, object] = {"__name__": page}
    for block in blocks(page):
        if block.language == "sh" and block.mark == RUN:
            for words in invocations(block.text):
                run(workspace, *words)
        elif block.language == "python" and not block.mark.startswith(NOT_RUN):
            code = "\n" * block.line + block.text  # lines are those of the page
            exec(compile(code, page, "exec"), names)


def test_the_tutorial_has_as_many_lines_as_it_says():
    (page,) = (page for page in WITH_PYTHON if page.endswith("first-segmentation.md"))
    (script,) = (block for block in blocks(page) if block.language == "python")
    assert len([line for line in script.text.splitlines() if line.strip()]) == 15


@pytest.mark.parametrize("name", PROMISED)
def test_examples_of_docstrings_run(name, workspace):
    thing = getattr(interactivenet, name)
    documented = {name: thing}
    if inspect.isclass(thing):
        documented |= {
            f"{name}.{member}": value
            for member, value in vars(thing).items()
            if not member.startswith("_") and getattr(value, "__doc__", None)
        }
    for title, value in documented.items():
        # outside of this folder there is neither model nor scan; here they are
        text = (inspect.getdoc(value) or "").replace("# doctest: +SKIP", "")
        if ">>>" in text:
            run_example(title, text)


def test_every_promised_name_is_in_the_reference():
    pages = [page for page in PAGES if page.startswith("docs/reference/api/")]
    named = {
        line.removeprefix("::: interactivenet.").strip()
        for page in pages
        for line in (REPOSITORY / page).read_text(encoding="utf-8").splitlines()
        if line.startswith("::: ")
    }
    assert set(PROMISED) <= named


def test_an_example_that_fails_is_noticed(workspace):
    with pytest.raises(AssertionError, match="1 of 2 examples failed"):
        run_example("title", ">>> 1 + 1\n2\n>>> 1 + 1\n3\n")


class ShownOnly(doctest.OutputChecker):
    """Compares what an example shows; what it does not show, it does not promise."""

    def check_output(self, want, got, optionflags):
        return not want or super().check_output(want, got, optionflags)


def run_example(title, text):
    """Run the example of a docstring, which may name what an earlier one has made."""
    names: dict[str, object] = {n: getattr(interactivenet, n) for n in PROMISED}
    if "predictor" in text and "predictor =" not in text:
        names["predictor"] = interactivenet.Predictor(f"results/models/{TASK}", device="cpu")
    if "points_mm" in text:
        names["points_mm"] = interactivenet.read_prompts("points.mrk.json")[0].points
    example = doctest.DocTestParser().get_doctest(text, names, title, None, None)
    outcome = doctest.DocTestRunner(ShownOnly(), optionflags=doctest.ELLIPSIS).run(example)
    assert not outcome.failed, f"{title}: {outcome.failed} of {outcome.attempted} examples failed"
