"""The docs as a site: built strictly, and it loads nothing from the web."""

import re

import pytest

from tests.docs.pages import REPOSITORY

pytest.importorskip("mkdocs", reason="the site's tools need Python 3.11")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    folder = tmp_path_factory.mktemp("site")
    config = load_config(str(REPOSITORY / "mkdocs.yml"), site_dir=str(folder), strict=True)
    config.plugins.on_startup(command="build", dirty=False)
    build(config)
    return folder


def test_nothing_is_loaded_from_the_web(site):
    loaded = [
        match
        for page in site.rglob("*.html")
        for match in re.findall(
            r'<(?:script|img|iframe)[^>]*\ssrc="(https?:[^"]+)|'
            r'<link[^>]*\srel="(?:stylesheet|preload|preconnect)"[^>]*\shref="(https?:[^"]+)|'
            r'<link[^>]*\shref="(https?:[^"]+)"[^>]*\srel="(?:stylesheet|preload|preconnect)"',
            page.read_text(encoding="utf-8"),
        )
    ]
    assert not loaded


def test_links_to_files_of_the_repository_become_their_paths(site):
    page = (site / "how-to" / "training.html").read_text(encoding="utf-8")
    assert "<code>benchmarks/training.py</code>" in page
    assert 'href="../../benchmarks' not in page


def test_the_command_line_has_every_command(site):
    page = (site / "reference" / "command-line.html").read_text(encoding="utf-8")
    for anchor in ("interactivenet-train", "interactivenet-dataset-convert", "interactivenet-demo"):
        assert f'id="{anchor}"' in page
