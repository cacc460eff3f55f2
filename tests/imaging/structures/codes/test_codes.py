"""What labels are, by their names or by a file."""

import json

import pytest
from pydicom.sr.codedict import codes as terms

from interactivenet.errors import DataError
from interactivenet.imaging.structures.codes.code_files import (
    codes_as_json,
    parse_codes,
    read_codes,
)
from interactivenet.imaging.structures.codes.code_tables import codes_of
from interactivenet.imaging.structures.codes.structure_codes import (
    Code,
    StructureCodes,
)

LIVER = ["10200004", "SCT", "Liver"]
ANATOMY = ["123037004", "SCT", "Anatomical Structure"]


@pytest.mark.parametrize(
    ("label", "kind", "side", "roi"),
    [
        ("Liver", terms.SCT.Liver, "", "ORGAN"),
        ("kidney_left", terms.SCT.Kidney, "Left", "ORGAN"),
        ("Kidney_L", terms.SCT.Kidney, "Left", "ORGAN"),
        ("right kidney", terms.SCT.Kidney, "Right", "ORGAN"),
        ("lungRight", terms.SCT.Lung, "Right", "ORGAN"),
        ("lungs", terms.SCT.Lung, "", "ORGAN"),
        ("spinal-cord", terms.SCT.SpinalCord, "", "ORGAN"),
        ("oesophagus", terms.SCT.Esophagus, "", "ORGAN"),
        ("urinary_bladder", terms.SCT.Bladder, "", "ORGAN"),
        ("vertebrae_L5", terms.SCT.L5Vertebra, "", "ORGAN"),
        ("left_ventricle", terms.SCT.LeftVentricle, "", "ORGAN"),  # a structure of its own
        ("tumour", terms.SCT.Neoplasm, "", "GTV"),
        ("Tumor2", terms.SCT.Neoplasm, "", "GTV"),
        ("GTV_Mass", terms.SCT.Neoplasm, "", "GTV"),
        ("brain mets", terms.SCT.NeoplasmSecondary, "", "GTV"),
        ("primary_tumour", terms.SCT.NeoplasmPrimary, "", "GTV"),
        ("lesion", terms.SCT.Lesion, "", "GTV"),
        ("peritumoral_oedema", terms.SCT.Edema, "", "ORGAN"),
        ("non-enhancing_lesion", terms.NCIt.NonEnhancingLesion, "", "GTV"),
        ("PTV_50", terms.SCT.PTV, "", "PTV"),
        ("CTV", terms.SCT.CTV, "", "CTV"),
        ("PTV_60Gy_left", terms.SCT.PTV, "Left", "PTV"),
        ("CTV-N", terms.SCT.CTV, "", "CTV"),
        ("CTV liver", terms.SCT.CTV, "", "CTV"),
        ("stent", terms.SCT.Stent, "", "CONTROL"),
        ("lymph_node", terms.SCT.LymphNode, "", "ORGAN"),
    ],
)
def test_names_that_say_what_it_is(label, kind, side, roi):
    codes = codes_of(label)
    assert codes.type == Code(kind.value, kind.scheme_designator, kind.meaning)
    assert (codes.type_modifier.meaning if codes.type_modifier else "") == side
    assert codes.roi_type == roi and not codes.is_default


@pytest.mark.parametrize(
    "label",
    ["", "_", "foreground", "label 1", "no_tumour", "tumour_bed", "muscle_mass", "liver vessels",
     "background", "normal", "left", "T1", "healthy liver tumour", "PTV ring", "ptv_avoid",
     # what is left of an organ, or a target, without another (AAPM TG-263)
     "Lungs-GTV", "liver - gtv", "PTV-CTV", "gtv_ctv", "heart_minus_ptv"],
)  # fmt: skip
def test_names_that_do_not(label):
    codes = codes_of(label)
    assert codes.is_default and codes.type.meaning == "Tissue" and codes.roi_type == "ORGAN"


def test_where_a_lesion_is():
    codes = codes_of("liver_tumour_left")
    assert codes.region == Code(*LIVER) and codes.type_modifier.meaning == "Left"
    assert codes.category.meaning == "Morphologically Abnormal Structure"
    assert codes_of("lung nodule").region.meaning == "Lung"
    assert codes_of("odd tumour").region is None


def test_categories_are_those_of_the_standard():
    group = terms.CID7150
    known = {(found.value, found.scheme_designator) for name in group.dir()
             for found in [getattr(group, name)]}  # fmt: skip
    for label in ("liver", "tumour", "fat", "stent", "urine", "foreground"):
        category = codes_of(label).category
        assert (category.value, category.scheme) in known


def test_types_have_colours_of_their_own():
    group = terms.CID7151
    codes = [codes_of(getattr(group, name).meaning) for name in group.dir()]
    colours = {}
    for one in codes:
        if not one.is_default:
            colours.setdefault(one.type, one.colour)
    assert len(colours) > 700
    assert len(set(colours.values())) == len(colours)
    assert len({codes_of(name).colour for name in
                ("tumour", "tumour core", "enhancing tumour", "edema", "a", "b")}) == 6  # fmt: skip
    assert codes_of("tumour").colour == (230, 60, 50)


def test_a_file_of_users(tmp_path):
    path = tmp_path / "codes.json"
    content = {
        "a": "Liver",
        "b": {"category": ANATOMY, "type": LIVER},
        "c": {
            "category": {"CodeValue": "49755003", "CodingSchemeDesignator": "SCT",
                         "CodeMeaning": "Morphologically Altered Structure"},
            "type": ["108369006", "SCT", "Neoplasm"], "modifier": ["7771000", "SCT", "Left"],
            "region": LIVER, "roi_type": "PTV", "colour": [1, 2, 3],
        },
    }  # fmt: skip
    path.write_text(json.dumps(content), encoding="utf-8")
    codes, others = read_codes(path, ["a", "b", "c", "d"])
    assert others == ()
    assert list(codes) == ["a", "b", "c"]
    assert codes["a"] == codes_of("liver")
    assert codes["b"] == StructureCodes(
        Code(*ANATOMY), Code(*LIVER), roi_type="ORGAN", colour=codes_of("liver").colour
    )
    assert codes["c"] == StructureCodes(
        Code("49755003", "SCT", "Morphologically Altered Structure"),
        Code("108369006", "SCT", "Neoplasm"), Code("7771000", "SCT", "Left"), Code(*LIVER), "PTV",
        (1, 2, 3),
    )  # fmt: skip
    again = json.loads(json.dumps(codes_as_json(codes)))
    assert parse_codes(again, ["a", "b", "c"]) == codes


GOOD = {"category": ANATOMY, "type": LIVER}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "holds a list of 0: expected an object of labels' names"),
        ({"b": "Liver"}, "has codes of 'b': expected labels among a"),
        ({"a": "Livver"}, "'a': is 'Livver', which is no structure that is known"),
        ({"a": "Sarcoma"}, "'a': is 'Sarcoma', of which only the general code of a neoplasm is"),
        ({"a": "Lymphomas"}, "only the general code"),
        ({"a": 3}, "'a': is 3: expected the name of a structure, or an object"),
        ({"a": {**GOOD, "color": [1, 2, 3]}}, "'a': has 'color': expected fields among category"),
        ({"a": {"type": LIVER}}, "'a': lacks 'category': expected a code, [value, scheme"),
        ({"a": {"category": ANATOMY}}, "'a': lacks 'type'"),
        ({"a": {**GOOD, "type": LIVER[:2]}}, "'a': has a list of 2 for 'type': expected a code"),
        ({"a": {**GOOD, "type": [10200004, "SCT", "Liver"]}},
         "'a': has 10200004 as CodeValue of 'type': expected 1 to 16 printable"),
        ({"a": {**GOOD, "type": ["1" * 17, "SCT", "x"]}}, "as CodeValue of 'type'"),
        ({"a": {**GOOD, "type": ["1", "SCT", "a\\b"]}}, "as CodeMeaning of 'type'"),
        ({"a": {**GOOD, "type": ["1", " ", "x"]}}, "as CodingSchemeDesignator of 'type'"),
        ({"a": {**GOOD, "region": {"CodeValue": "1", "Code": "x"}}}, "has 'Code' in 'region'"),
        ({"a": {**GOOD, "region": {"CodeValue": "1"}}}, "None as CodingSchemeDesignator"),
        ({"a": {**GOOD, "modifier": None}}, "has None for 'modifier'"),
        ({"a": {**GOOD, "roi_type": "gtv"}}, "has 'gtv' as 'roi_type': expected one of GTV, CTV"),
        ({"a": {**GOOD, "roi_type": ["GTV"]}}, "as 'roi_type'"),
        ({"a": {**GOOD, "colour": [1, 2, 256]}}, "has [1, 2, 256] as 'colour': expected [red"),
        ({"a": {**GOOD, "colour": [1, 2, True]}}, "as 'colour'"),
        ({"a": {**GOOD, "colour": "red"}}, "has 'red' as 'colour'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_a_line(content, message, tmp_path):
    path = tmp_path / "codes.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError) as refused:
        read_codes(path, ["a"])
    text = str(refused.value)
    assert text.startswith(f"{path}: ") and message in text and "\n" not in text


def test_one_file_may_be_for_many_models(tmp_path):
    """What it says of labels that are not there is checked, and told apart."""
    path = tmp_path / "codes.json"
    path.write_text('{"a": "Liver", "b": "Lung", "c": "Spleen"}', encoding="utf-8")
    codes, others = read_codes(path, ["b"])
    assert codes == {"b": codes_of("lung")} and others == ("a", "c")
    path.write_text('{"a": "Livver", "b": "Lung"}', encoding="utf-8")
    with pytest.raises(DataError, match="'a': is 'Livver'"):
        read_codes(path, ["b"])


def test_a_file_that_is_none(tmp_path):
    path = tmp_path / "codes.json"
    path.write_text('{"a": "Liver", "a": "Lung"}', encoding="utf-8")
    with pytest.raises(DataError, match="has the key 'a' twice"):
        read_codes(path, ["a"])
    with pytest.raises(DataError, match=r"none\.json"):
        read_codes(tmp_path / "none.json", ["a"])
