"""Which ROIs are which label."""

import pytest

from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.structures.reading.roi_names import RoiNames, check_rois

LABELS = {1: "liver", 2: "tumour"}


def match(rois, *definitions, labels=LABELS):
    return RoiNames.parse(definitions).match(rois, labels)


def test_patterns_in_any_case_and_several_for_one_label():
    rois = ["GTV_Mass_CT", "gtv_node", "Liver", "BODY"]
    values, notes = match(rois, "GTV_m*=Tumour", "GTV_NODE = tumour", "LIVER=liver")
    assert values == {"GTV_Mass_CT": 2, "gtv_node": 2, "Liver": 1}
    assert notes == ("left out its ROIs of no label: 'BODY'",)


def test_names_with_signs_of_patterns_are_names_too():
    assert match(["GTV [old]", "a=b"], "GTV [old]=tumour", "a=b=liver")[0] == {
        "GTV [old]": 2, "a=b": 1,
    }  # fmt: skip


def test_a_pattern_that_fits_nothing_is_named_and_none_at_all_refused():
    values, notes = match(["GTV"], "GTV=tumour", "Liver*=liver")
    assert values == {"GTV": 2}
    assert notes == ("none of its ROIs fits 'Liver*', for liver",)
    with pytest.raises(DataError, match=r"no ROI that fits 'CTV': its ROIs are 'GTV', 'BODY'"):
        match(["GTV", "BODY"], "CTV=tumour")


def test_two_labels_for_one_roi_are_refused():
    with pytest.raises(RequestError, match=r"ROI 'GTV_n' is tumour by 'GTV\*', and liver"):
        match(["GTV_n"], "GTV*=tumour", "*n=liver")
    with pytest.raises(RequestError, match="'gtv' is said to be two labels, tumour and liver"):
        RoiNames.parse(["GTV=tumour", "gtv=liver"])
    assert RoiNames.parse(["GTV=tumour", "GTV=tumour"]).patterns == (("GTV", "tumour"),)


def test_labels_by_value_and_labels_that_there_are_not():
    assert match(["GTV"], "GTV=2")[0] == {"GTV": 2}
    with pytest.raises(RequestError, match="expected one of the labels 1=liver, 2=tumour"):
        match(["GTV"], "GTV=node")
    with pytest.raises(RequestError, match="GTV=node"):
        check_rois(["GTV=node"], LABELS)
    assert check_rois(iter(["GTV=node"]), None) == ("GTV=node",)


def test_without_labels_they_are_numbered_as_they_are_named():
    values, notes = match(
        ["GTV", "Liver", "Cord"], "Liver=liver", "GTV=3", "Cord=cord", labels=None
    )
    assert values == {"Liver": 1, "GTV": 3, "Cord": 2}
    assert notes == ("its labels are numbered as they are named: 1=liver, 3=3, 2=cord",)
    assert RoiNames.parse(["b=X", "a=Y", "c=x"]).labels == ("X", "Y")


@pytest.mark.parametrize("text", ["GTV", "=tumour", "GTV=", "", " = "])
def test_what_is_no_definition(text):
    with pytest.raises(RequestError, match="expected a pattern of ROI names and a label"):
        RoiNames.parse([text])


def test_names_of_labels():
    values, notes = match(["LIVER", "Tumour 2", "tumour_1", "BODY", "T12"])
    assert values == {"LIVER": 1, "Tumour 2": 2, "tumour_1": 2}
    assert notes == (
        "its ROI 'Tumour 2' is read as 2=tumour", "its ROI 'tumour_1' is read as 2=tumour",
        "left out its ROIs of no label: 'BODY', 'T12'",
    )  # fmt: skip
    assert match(["T12"], labels={1: "T", 2: "T12"})[0] == {"T12": 2}
    assert match(["node 2"], labels={1: "node", 2: "node 2"}) == (
        {"node 2": 2}, ("it has no ROI of the labels node",),
    )  # fmt: skip


def test_the_only_roi_is_the_only_label():
    assert match(["GTV"], labels={3: "tumour"}) == (
        {"GTV": 3}, ("its only ROI, 'GTV', is read as 3=tumour",),
    )  # fmt: skip
    assert match(["GTV"], labels=None) == (
        {"GTV": 1}, ("its only ROI, 'GTV', is read as label 1",),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rois", "labels", "why"),
    [
        (["GTV", "BODY"], {1: "tumour"}, "no ROI of the name of a label .1=tumour.: its ROIs are"
         " 'GTV', 'BODY': say which are"),
        (["GTV"], LABELS, "no ROI of the name of a label"),
        (["GTV", "BODY"], None, "2 ROIs, and no names of labels are known: 'GTV', 'BODY'"),
        ([], LABELS, "holds no ROI"),
    ],
)  # fmt: skip
def test_what_is_not_clear_is_refused(rois, labels, why):
    with pytest.raises(DataError, match=why):
        match(rois, labels=labels)


def test_one_name_twice_is_both():
    values, notes = match(["GTV", "GTV"], "GTV=tumour")
    assert values == {"GTV": 2}
    assert notes == ("it has 2 ROIs of the name 'GTV': all of them are read",)
