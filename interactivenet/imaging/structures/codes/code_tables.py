"""What a label is, in codes, as far as its name says: 'kidney_left' is a kidney, on the left.

The terms are those of DICOM PS3.16 as pydicom has them: of each category of CID 7150 the types
that it may have (CID 7191 to 7198). Nothing is guessed from a part of a name: all of its words
must be those of a term, beside a side and what says that it is a lesion.
"""

from __future__ import annotations

import colorsys
import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache

from interactivenet.imaging.structures.codes.structure_codes import (
    Code,
    StructureCodes,
)

MORPHOLOGY = Code("49755003", "SCT", "Morphologically Abnormal Structure")
TISSUE = Code("85756007", "SCT", "Tissue")
ANATOMY = Code("91723000", "SCT", "Anatomical Structure")
OBJECT = Code("260787004", "SCT", "Physical object")
TARGET = Code("130041", "DCM", "RT Target")
NEOPLASM = Code("108369006", "SCT", "Neoplasm")
#: categories, each with its context group of types; the first that has a term counts
_GROUPS = ((MORPHOLOGY, 7194), (ANATOMY, 7192), (TISSUE, 7191),
           (Code("91720002", "SCT", "Body Substance"), 7197), (OBJECT, 7193))  # fmt: skip
_SIDES = {
    "left": Code("7771000", "SCT", "Left"), "right": Code("24028007", "SCT", "Right"),
    "bilateral": Code("51440002", "SCT", "Bilateral"),
}  # fmt: skip
_SHORT_SIDES = {"l": "left", "lt": "left", "r": "right", "rt": "right"}
#: neoplasms of one kind, which PS3.16 has no type of a segment for
_KINDS = ("carcinoma", "sarcoma", "glioma", "glioblastoma", "lymphoma", "melanoma", "meningioma",
          "schwannoma", "gist")  # fmt: skip
#: words that say what is wrong somewhere -> term of CID 7194
_LESIONS = {
    **dict.fromkeys(("neoplasm", "tumor", "gtv", "cancer", "malignancy", *_KINDS), "neoplasm"),
    **dict.fromkeys(("gtvp", "primary tumor", "primary neoplasm"), "neoplasm primary"),
    **dict.fromkeys(
        ("metastasis", "metastase", "metastatic", "met", "gtvn"), "neoplasm secondary"
    ),
    "lesion": "lesion", "mass": "mass", "nodule": "nodule", "cyst": "cyst", "abscess": "abscess",
    "edema": "edema", "hemorrhage": "hemorrhage", "necrosis": "necrosis", "embolus": "embolus",
    "hematoma": "hemorrhage", "inflammation": "inflammation", "clot": "blood clot",
}  # fmt: skip
#: words that mean much else, too: a lesion alone, with an organ, or beside another of these words
_WEAK = frozenset(("mass", "met", "nodule", "clot", "inflammation"))
#: words after which it is not the lesion itself
_NEGATING = frozenset((
    "no", "not", "non", "without", "healthy", "normal", "bed", "cavity", "around", "near", "minus",
    "outside", "rim", "margin", "resected", "ring", "avoid", "avoidance", "shell", "prv",
    "expanded",
))  # fmt: skip
#: what a radiotherapist means to treat: type, RT ROI interpreted type
_TARGETS = {
    "ctv": (Code("228792002", "SCT", "CTV"), "CTV"),
    "ctvn": (Code("130049", "DCM", "CTV Nodal"), "CTV"),
    "ctvp": (Code("130050", "DCM", "CTV Primary"), "CTV"),
    "ptv": (Code("228793007", "SCT", "PTV"), "PTV"),
    "ptvn": (Code("130053", "DCM", "PTV Nodal"), "PTV"),
    "ptvp": (Code("130054", "DCM", "PTV Primary"), "PTV"),
}
#: words beside a target's that change nothing of what it is
_OF_TARGETS = frozenset((
    "gy", "cgy", "boost", "high", "mid", "low", "risk", "dose", "tumor", "n", "p", "t",
))  # fmt: skip
#: what is left of something without a target, as radiotherapists write it: 'Lungs-GTV'
_SUBTRACTED = re.compile(r"\w\s*-\s*[GCPI]TV", re.IGNORECASE)
#: types of lesions that are what is to be treated
_GROSS = frozenset(("neoplasm", "neoplasm primary", "neoplasm secondary", "lesion", "mass",
                    "nodule", "enhancing lesion", "non enhancing lesion"))  # fmt: skip
#: other spellings of words, and plurals that are none of 's'
_SPELLED = {
    "tumour": "tumor", "tumours": "tumor", "oesophagus": "esophagus", "oedema": "edema",
    "haemorrhage": "hemorrhage", "haematoma": "hematoma", "metastases": "metastasis",
    "vertebrae": "vertebra", "testes": "testis", "grey": "gray", "masses": "mass",
    "ovaries": "ovary", "arteries": "artery", "bronchi": "bronchus", "abscesses": "abscess",
    "hippocampi": "hippocampus", "ventricles": "ventricle",
}  # fmt: skip
#: words that change nothing
_FILLING = frozenset(("of", "the", "structure", "and", "or", "mask", "segmentation", "label"))
#: terms under names that people use
_SYNONYMS = {
    "urinary bladder": "bladder", "small bowel": "small intestine",
    "large bowel": "large intestine", "windpipe": "trachea", "ivc": "inferior vena cava",
    "parotid": "parotid gland", "adrenal": "adrenal gland", "fat": "adipose tissue",
    "submandibular": "submandibular gland", "brainstem": "brain stem",
}  # fmt: skip
#: structures that a glance should know, of 3D Slicer's generic anatomy colours
_COLOURS = {
    "neoplasm": (230, 60, 50), "neoplasm primary": (240, 90, 40),
    "neoplasm secondary": (200, 40, 110), "lesion": (235, 120, 60), "mass": (214, 80, 80),
    "edema": (140, 224, 228), "necrosis": (216, 191, 216), "cyst": (205, 205, 100),
    "liver": (221, 130, 101), "spleen": (157, 108, 162), "kidney": (185, 102, 83),
    "pancreas": (249, 180, 111), "gallbladder": (139, 150, 98), "stomach": (216, 132, 105),
    "heart": (206, 110, 84), "lung": (197, 165, 145), "brain": (250, 250, 225),
    "prostate": (230, 158, 140), "bladder": (222, 154, 132), "bone": (241, 214, 145),
}  # fmt: skip


def is_general(name: str) -> bool:
    """Whether a name says more than the code that is known for it: a sarcoma is a neoplasm."""
    words = {word.removesuffix("s") for word in re.findall(r"[a-z]+", name.casefold())}
    return not words.isdisjoint(_KINDS)


def codes_of(label: str) -> StructureCodes:
    """Return what a label is, of its name alone.

    Organs and other anatomy by their English names in any case, with '_', '-' or capitals between
    words and with or without a side ('Kidney_L', 'lungRight'); tumours, lesions and what else is
    wrong with them, with or without where ('liver_tumour'); CTV and PTV. Of any other name:
    ``is_default``, a tissue of which nothing is known, in a colour of the name's own.
    """
    words, side = _words_and_side(label)
    if term := _term(_words(label)):  # whose name has a side of its own, as 'left ventricle'
        return _coded(term, "", None)
    if words and (target := _TARGETS.get(words[0])) and _is_target(label, words[1:]):
        kind, roi = target
        return StructureCodes(TARGET, kind, _SIDES.get(side), None, roi, _hue(kind.value))
    if term := _term(words):
        return _coded(term, side, None)
    lesion = None if _SUBTRACTED.search(label) else _lesion(words, side)
    return lesion or StructureCodes(
        TISSUE, TISSUE, _SIDES.get(side), None, "ORGAN", _hue(" ".join(words) or label), True
    )


def _is_target(label: str, rest: list[str]) -> bool:
    """Whether a name that begins as a target's is one: 'PTV ring' and 'PTV-GTV' are none."""
    others = [word for word in rest if not word.rstrip("cgy").isdigit() and word not in _OF_TARGETS]
    return not _SUBTRACTED.search(label) and (not others or _term(others) is not None)


def _lesion(words: list[str], side: str) -> StructureCodes | None:
    """Return the codes of a lesion that is named with where it is, or else; None for none."""
    if (_NEGATING | _TARGETS.keys()) & set(words):
        return None
    for size in (2, 1):  # 'primary tumor' says more than 'tumor'
        for at in range(len(words) - size + 1):
            name = " ".join(words[at : at + size])
            rest = [word for word in (*words[:at], *words[at + size :]) if not word.isdigit()]
            others = [word for word in rest if word in _LESIONS]
            rest = [word for word in rest if word not in _LESIONS]
            where = (_term([side, *rest]) or _term(rest)) if rest else None
            if name not in _LESIONS or (name in _WEAK and others):
                continue
            if name in _WEAK and rest and (where is None or where[0] != ANATOMY):
                continue
            region = where[1] if where and where[0] in (ANATOMY, TISSUE) else None
            found = _coded(_table()[_key(_LESIONS[name].split())], side, region)
            # labels of one task, such as the parts of a tumour, are not to look alike
            return found if region or not rest else replace(found, colour=_hue(" ".join(words)))
    return None


def with_defaults(category: Code, kind: Code) -> StructureCodes:
    """Return codes of a category and type, with the ROI type and colour that go with them."""
    return _coded((category, kind), "", None)


def term_of(name: str) -> StructureCodes | None:
    """Return the codes of a term of the tables by its name; None where there is none."""
    codes = codes_of(name)
    return None if codes.is_default else codes


def _coded(found: tuple[Code, Code], side: str, region: Code | None) -> StructureCodes:
    category, kind = found
    name = " ".join(_words(kind.meaning))
    is_target = category == MORPHOLOGY and name in _GROSS
    colour = _COLOURS.get(name) or _hue(f"{kind.scheme} {kind.value}")
    roi = "GTV" if is_target else "CONTROL" if category == OBJECT else "ORGAN"
    return StructureCodes(category, kind, _SIDES.get(side), region, roi, colour)


def _term(words: list[str]) -> tuple[Code, Code] | None:
    text = " ".join(words)
    return _table().get(_key(words)) or _table().get(_key(_SYNONYMS.get(text, "").split()))


@cache
def _table() -> dict[frozenset[str], tuple[Code, Code]]:
    """Return the terms of all categories, by the words of their meaning and their keyword."""
    from pydicom.sr.codedict import codes

    table: dict[frozenset[str], tuple[Code, Code]] = {}
    for category, number in _GROUPS:
        group = getattr(codes, f"CID{number}")
        for keyword in group.dir():
            found = getattr(group, keyword)
            code = Code(str(found.value), str(found.scheme_designator), str(found.meaning))
            for words in (_words(code.meaning), _words(keyword)):
                table.setdefault(_key(words), (category, code))
    for name in ("", "background", "normal"):  # of which nothing is outlined
        table.pop(_key(name.split()), None)
    return table


def _key(words: Iterable[str]) -> frozenset[str]:
    return frozenset(word for word in words if word not in _FILLING)


def _words_and_side(label: str) -> tuple[list[str], str]:
    words = _words(label)
    side = ""
    kept = []
    for at, word in enumerate(words):
        named = word if word in _SIDES else ""
        if not named and len(words) > 1 and at in (0, len(words) - 1):
            named = _SHORT_SIDES.get(word, "")
        if named and not side:
            side = named
        else:
            kept.append(word)
    return kept, side


def _words(text: str) -> list[str]:
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    # 'tumour1' is two words, 'L5' is one
    words = re.findall(r"[^\W\d_]{3,}|[^\W_]+", parted.lower())
    return [_singular(word) for word in words]


def _singular(word: str) -> str:
    word = _SPELLED.get(word, word)
    ends = word.endswith("s") and not word.endswith(("ss", "us", "is", "as"))
    return word[:-1] if ends and len(word) > 3 else word


def _hue(name: str) -> tuple[int, int, int]:
    """Return a bright colour that is the same for a name in any program and at any time."""
    drawn = hashlib.sha256(name.encode()).digest()
    hue = int.from_bytes(drawn[:4], "big") / 2**32
    saturation, value = 0.45 + drawn[4] / 255 * 0.5, 0.7 + drawn[5] / 255 * 0.3
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)
