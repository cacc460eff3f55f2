"""The page's own files, without a browser."""

import re
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

STATIC = Path(str(files("interactivenet"))) / "viewer" / "static"
#: of dist/niivue.umd.js in the npm package @niivue/niivue 0.69.0
NIIVUE = "47b896b77ec4a5be3ef1949c33ad393b6f45629921f326c279000bcf51bdb4af"
OURS = sorted(path for path in STATIC.glob("*.js") if path.name != "niivue.umd.js")


def test_niivue_is_the_file_that_its_package_has():
    assert sha256((STATIC / "niivue.umd.js").read_bytes()).hexdigest() == NIIVUE
    assert "BSD 2-Clause License" in (STATIC / "NIIVUE_LICENSE.txt").read_text(encoding="utf-8")


def test_the_page_has_nothing_inline_and_names_no_other_host():
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*src=)", page)
    for path in [*OURS, STATIC / "index.html", STATIC / "style.css"]:
        addresses = re.findall(r"https?://[^\s\"')]+", path.read_text(encoding="utf-8"))
        assert set(addresses) <= {"http://www.w3.org/2000/svg"}, path.name


def test_every_file_that_is_named_is_there():
    named = set(
        re.findall(r'"static/([^"]+)"', (STATIC / "index.html").read_text(encoding="utf-8"))
    )
    for path in OURS:
        named |= set(re.findall(r'from "\./([^"]+)"', path.read_text(encoding="utf-8")))
    assert {path.name for path in OURS} <= named
    assert not [name for name in named if not (STATIC / name).is_file()]


def test_modules_stay_small_and_one_alone_knows_niivue():
    assert all(len(path.read_text(encoding="utf-8").splitlines()) < 300 for path in OURS)
    knowing = [
        path.name for path in OURS if re.search(r"\bniivue\.\w", path.read_text(encoding="utf-8"))
    ]
    assert knowing == ["scan_view.js"]


def test_the_documentation_has_every_key():
    keys = re.findall(
        r'\["\w+", \[.+?\], "(.+?)", "(.+?)",', (STATIC / "keyboard.js").read_text(encoding="utf-8")
    )
    rows = (Path(__file__).parents[2] / "docs" / "viewer.md").read_text(encoding="utf-8")
    assert len(keys) > 25
    for shown, does in keys:
        assert f"| {shown} | {does}" in rows, (shown, does)
