"""Which series a modality's pattern means."""

from types import SimpleNamespace

import pytest

from interactivenet.datasets.dicom_tree.patterns import (
    ModalityPattern,
    index_of,
    parse_patterns,
    text_matches,
)
from interactivenet.errors import RequestError


def series(description="", number="3", modality="MR", uid="1.2.3", part=""):
    tags = {"SeriesDescription": description, "SeriesNumber": number, "Modality": modality}
    return SimpleNamespace(file=SimpleNamespace(tags=tags, series=uid), part=part)


@pytest.mark.parametrize(
    ("pattern", "given", "expected"),
    [
        ("MR", series("anything"), True),
        ("mr=", series("anything"), True),
        ("CT", series("anything"), False),
        ("PET", series("x", modality="PT"), True),
        ("MR=t1*", series("T1 post"), True),
        ("MR=t1*", series("ax T1 post"), False),
        ("MR=t1", series("ax T1 post"), True),
        ("MR=T1*post", series("T1 post"), True),
        ("MR=3", series("T1 3D"), True),
        ("MR=3", series("T1 3D", number="4"), False),  # a number, no part of a description
        ("MR=1.2.3", series(), True),
        ("MR=1.2.3", series(uid="1.2.3.4"), False),
        ("T1=T1*", series("T1", modality="CT"), False),
        ("T1=T1*", series("T1"), True),
        ("contrast=T1*", series("T1", modality="CT"), True),  # a name that says no scanner
        ("MR=3:EchoTime=4.6", series(part="EchoTime=4.6"), True),
        ("MR=3:EchoTime=4.6", series(part="EchoTime=9.2"), False),
        ("MR=T2*:EchoTime=4*", series("T2", part="EchoTime=4.6"), True),
        ("MR=T2*:EchoTime=4*", series("T2", part="EchoTime=9.2"), False),
        ("MR=x", series(""), False),
    ],
)
def test_matching(pattern, given, expected):
    assert ModalityPattern.parse(pattern).matches(given) is expected


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("T1", "'T1' is no kind of scanner"),
        ("T1=", "'T1=PATTERN'"),
        ("=T1", "'' is no name"),
        ("*T1*", r"'\*T1\*' is a pattern, which needs a name in front"),
        ("../x=T1", "looks like a path"),
    ],
)
def test_what_is_no_pattern(text, refusal):
    with pytest.raises(RequestError, match=refusal):
        ModalityPattern.parse(text)


def test_names_are_given_once_and_found_in_any_case():
    with pytest.raises(RequestError, match="'CT' is given twice"):
        parse_patterns(["CT", "ct=x"])
    patterns = parse_patterns(["CT", "MR=T1*"])
    assert index_of("mr", patterns) == 1
    with pytest.raises(RequestError, match=r"`resample_to='PET'`: expected one of .* CT, MR"):
        index_of("PET", patterns)


def test_globs_are_of_the_whole_text():
    assert text_matches("a[12]*", "A1 b") and not text_matches("a[12]", "a1 b")
    assert text_matches("a1", "xA1y")
