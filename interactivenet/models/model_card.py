"""The card of a deployed model: what it is, what it was made from, how it did, its limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from interactivenet.datasets.modalities import describe_modalities, is_any
from interactivenet.metric_names import METRIC, TOLERANCE_MM
from interactivenet.prompts.prompt import OBJECT

#: metrics of a bundle's cross-validation that the card shows -> how it calls them
_METRICS = {
    "dice": METRIC["dice"].described,
    "nsd": f"{METRIC['nsd'].described} at {TOLERANCE_MM:g} mm",
    "hd95": METRIC["hd95"].described,
    "assd": METRIC["assd"].described,
}

_NOT_FOR = """\
## What it must not be used for

- **It is not a medical device.** No diagnosis, treatment or treatment plan may rest on its
  outlines alone; a qualified person must check every one of them.
- Not for modalities, sequences, body regions, objects or age groups other than those that it was
  trained on. It returns an outline for these, too. It warns where the number of points, their box,
  the voxels or the values are far from those of training, and then expects no Dice; it cannot
  notice anything else.
- Not without points: it segments whatever six interior margin points enclose, whether or not that
  is the intended object. Points on another object give that object; misplaced points give a wrong
  outline.
- The results above come from scans like those it was trained on. For other scans, measure them
  again before relying on them.
"""

_DISTILLED = """\
**These are the results of the networks that this one was distilled from**, each on cases that it
had not seen. The distilled network has learned from all of the cases, so it was not measured on any
of them, and it expects no Dice. Measure it on other cases before relying on it.
"""


def render_card(bundle: Mapping[str, Any]) -> str:
    """Render ``MODEL_CARD.md`` (Mitchell et al. 2019) of the content of a ``bundle.json``."""
    plan = bundle["plan"]
    distilled = bundle.get("distilled_from") or []
    half = [("weights", "float16, rounded from float32")] if bundle.get("half_of") else []
    sections = [
        f"# {bundle['task']}",
        str(bundle["description"] or "No description was given."),
        "## What it is",
        _table(
            ("", ""),
            [
                ("segments", f"{_labels(bundle)}: one object for each six interior margin points"),
                ("images", describe_modalities(bundle["modalities"])),
                ("networks", _networks(bundle)),
                *half,
                *_codes(bundle.get("codes") or {}),
                ("points are encoded as", _encoding(bundle["encoding"])),
                _voxels(plan),
                ("postprocessing", _postprocessing(bundle["postprocessing"])),
                ("made with", f"InteractiveNet {bundle['version']}, preset {plan['preset']}"),
            ],
        ),
        "## What it was trained on",
        _training(bundle["training"]),
        _known(bundle.get("training_set")),
        "## How it did in cross-validation",
        *[_DISTILLED] * bool(distilled),
        _validation(bundle["cross_validation"]),
        _NOT_FOR,
    ]
    return "\n\n".join(section.strip() for section in sections) + "\n"


def _networks(bundle: Mapping[str, Any]) -> str:
    if teacher := bundle.get("distilled_from"):
        digests = ", ".join(digest[:12] for digest in teacher)
        return f"1, distilled from {len(teacher)} (SHA-256 {digests})"
    return f"{len(bundle['weights'])}, one for each fold; their mean is used"


def _training(training: Mapping[str, Any] | None) -> str:
    if not training:
        return "Unknown: the model was not trained by this program."
    rows = [
        ("cases", str(training["cases"])),
        ("objects", str(training["objects"])),
        ("folds, epochs", f"{training['folds']}, {training['epochs']}"),
    ]
    names = {
        "spacing_mm": "voxel, mm (R, A, S)",
        "shape": "voxels (R, A, S)",
        "object_mm": "object, mm (R, A, S)",
        "volume_ml": "object, ml",
    }
    for key, name in names.items():
        spread = training[key]
        low, middle, high = (_numbers(spread[part]) for part in ("min", "median", "max"))
        rows.append((name, low if low == high else f"{low} to {high}, median {middle}"))
    return _table(("", ""), rows)


def _known(known: Mapping[str, Any] | None) -> str:
    """Say between what a Dice is expected."""
    if not known:
        return "What its scans and objects look like is unknown: no Dice is expected of any."
    sides = [_numbers([one[side] for one in known["box_mm"]]) for side in (0, 1)]
    return (
        f"The boxes of its points measure {sides[0]} to {sides[1]} mm (R, A, S). Of scans and"
        " objects far beyond what training has seen, no Dice is expected, and they are to be looked"
        " at first."
    )


def _validation(summary: Mapping[str, Any] | None) -> str:
    if not summary:
        return "Unknown: no cross-validation came with the model."
    groups = [("all", summary), *summary["labels"].items(), *summary["subtypes"].items()]
    rows = []
    for name, group in groups:
        for metric, title in _METRICS.items():
            statistics = group["metrics"].get(metric)
            if statistics:
                mean, deviation, median, low, high = (
                    METRIC[metric].text(statistics[key], missing="")
                    for key in ("mean", "std", "median", "low", "high")
                )
                values = (mean, deviation, median, f"{low} to {high}" if low else "")
                rows.append((name, title, str(statistics["n"]), *values))
    head = ("objects", "metric", "n", "mean", "SD", "median", "95 % interval of the mean")
    missed = f"{summary['missed']} of {summary['objects']} objects were missed completely."
    measured = (
        "Each object was segmented by a network that had not seen its case, from simulated or given"
        " points, and compared with its reference outline on the scan's own grid."
    )
    warnings = "".join(f"**Too good**: {text}.\n\n" for text in summary.get("warnings", []))
    return f"{measured} {missed}\n\n{warnings}{_table(head, rows)}"


def _labels(bundle: Mapping[str, Any]) -> str:
    labels = bundle["labels"]
    if is_any(bundle["modalities"]) and [*labels.values()] == [OBJECT]:
        return "any object, called as its points are"
    return ", ".join(f"{name} ({value})" for value, name in labels.items())


def _codes(codes: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Say what DICOM calls the labels."""
    named = []
    for label, entry in codes.items():
        (value, scheme, meaning), *others = (
            entry[field] for field in ("type", "modifier", "region") if field in entry
        )
        more = "".join(f", {other[2]}" for other in others)
        named.append(f"{label}: {meaning}{more} ({value}, {scheme}), {entry['roi_type']}")
    return [("coded in DICOM as", "; ".join(named))] if named else []


def _voxels(plan: Mapping[str, Any]) -> tuple[str, str]:
    if plan.get("grid"):
        return "voxels", f"{_numbers(plan['sample_shape'])} around each object, whatever its size"
    return f"voxels, mm ({_axes(plan)})", _numbers(plan["spacing"])


def _axes(plan: Mapping[str, Any]) -> str:
    return "axes as stored" if plan.get("legacy") else "R, A, S"


def _encoding(encoding: Mapping[str, Any]) -> str:
    kind = encoding["kind"]
    if kind == "geodesic":
        kind = f"a geodesic map ({encoding['kernel']} kernel, {encoding['metric']} metric)"
    elif kind == "none":
        return "no map: they only place the box that is cut out"
    else:
        kind = f"a {kind} map, sigma {encoding['sigma_mm']:g} mm"
    return kind + (", and an ellipsoid of their extent" if encoding["extent"] else "")


def _postprocessing(chosen: Mapping[str, Any]) -> str:
    parts = ["fill holes"] * bool(chosen["fill_holes"])
    if chosen["component"] != "all":
        parts.append(f"{chosen['component']} component")
    return ", ".join(parts) or "none"


def _numbers(values: Any) -> str:
    if isinstance(values, (int, float)):
        return f"{values:.3g}"
    return " x ".join(f"{value:.3g}" for value in values)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---" for _ in head], *rows]
    return "\n".join("| " + " | ".join(_cell(text) for text in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
