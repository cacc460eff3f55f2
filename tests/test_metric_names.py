"""The one table of metrics: how values are headed and written."""

from interactivenet.metric_names import METRIC, METRICS


def test_values_have_the_digits_of_their_metric():
    assert METRIC["dice"].text(0.87654) == "0.877" and METRIC["hd95"].text(3.14159) == "3.14"
    assert METRIC["dice"].text(None) == "-" and METRIC["dice"].text(None, missing="") == ""
    assert METRIC["volume_difference_ml"].text(-0.001) == "0.00"


def test_titles_have_their_unit():
    assert METRIC["hd95"].heading == "HD95 (mm)" and METRIC["nsd"].heading == "NSD"
    assert METRIC["nsd"].described == "Normalised surface Dice"
    assert METRIC["hd95"].described == "95th percentile of the surface distance (mm)"
    assert METRIC["volume_label_ml"].described == "Label volume (ml)"


def test_names_and_titles_are_unique():
    assert len(METRIC) == len({metric.title for metric in METRIC.values()}) == len(METRICS) + 2
