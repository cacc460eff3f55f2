"""Links lead somewhere, and the lists of packages are complete."""

from pathlib import Path

import pytest

from tests.docs.pages import PAGES, REPOSITORY, blocks, inline


@pytest.mark.parametrize("page", PAGES)
def test_relative_links_and_pictures_exist(page):
    targets = [link.attrs["href"] for link in inline(page, "link_open")]
    targets += [picture.attrs["src"] for picture in inline(page, "image")]
    relative = [target.partition("#")[0] for target in targets if "://" not in target]
    folder = (REPOSITORY / page).parent
    missing = [target for target in relative if target and not (folder / target).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_code_has_a_language(page):
    unnamed = [str(block) for block in blocks(page) if not block.language]
    assert not unnamed


@pytest.mark.parametrize("page", ["docs/explanation/architecture.md", "CONTRIBUTING.md"])
def test_every_package_is_explained(page):
    package = REPOSITORY / "interactivenet"
    packages = {path.parent.name for path in package.glob("*/__init__.py")}
    words = {word.strip("/") for code in inline(page, "code_inline") for word in [code.content]}
    assert packages <= words


def test_no_source_names_a_page_that_has_moved():
    sources = [
        path
        for folder in ("interactivenet", "docker", "apptainer", "workflow", "benchmarks")
        for path in (REPOSITORY / folder).rglob("*")
        if path.is_file() and path.suffix in ("", ".py", ".def", ".sh", ".yaml", ".j2", ".sbatch")
    ]
    pages = {Path(page).name: page for page in PAGES if page.startswith("docs/how-to/")}
    moved = [
        f"{path.relative_to(REPOSITORY)}: docs/{name}"
        for path in sources
        for name in pages
        if f"docs/{name}" in path.read_text(encoding="utf-8", errors="ignore")
    ]
    assert not moved
