"""The algorithm: reads the case in ``/input``, segments it, writes into ``/output``."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from interactivenet.errors import NoPoints, RequestError, describe_failure, one_line
from interactivenet.system.folders import keep_temporary_files_away

#: where grand-challenge puts things; the variables are for trying it without a container
_PLACES = {
    "input": ("interactivenet_input", "/input"),
    "output": ("interactivenet_output", "/output"),
    "model": ("interactivenet_model", "/opt/ml/model"),
}


def run_algorithm(inputs: Path, output: Path, model: Path) -> list[Path]:
    """Segment the case in ``inputs`` with the bundle in ``model``; return what was written.

    ``model`` may hold the algorithm's settings (:mod:`.settings`). Results are
    ``images/SLUG/NAME.mha`` of ``output``, compressed, on the first image's own grid; NAME is the
    first image's. Raises RequestError and DataError.
    """
    from interactivenet.datasets.inference_cases import check_scan
    from interactivenet.datasets.task import Case
    from interactivenet.grand_challenge.inputs import find_inputs
    from interactivenet.grand_challenge.settings import FILE, AlgorithmSettings
    from interactivenet.imaging.io import ReadOptions, write_label_array
    from interactivenet.inference.examination import examine
    from interactivenet.inference.predictor import Predictor
    from interactivenet.inference.reading import read_case
    from interactivenet.postprocessing.merging import merge
    from interactivenet.prompts.io import read_prompts
    from interactivenet.system.files import check_writable

    check_writable(output)  # not noticed after minutes of work
    settings = (
        AlgorithmSettings.load(model / FILE) if (model / FILE).exists() else AlgorithmSettings()
    )
    predictor = Predictor(model, mirrored=settings.mirrored)
    plan = predictor.plan
    settings.check(plan)
    _say(f"model: {predictor.model.name}; {predictor.device}, {predictor.precision}")
    files = find_inputs(inputs, plan.modalities, settings)
    reading = ReadOptions(use_form=settings.use_form)
    case = read_case(Case(files.name, files.images, reading=reading), plan)
    try:
        prompts = read_prompts(
            files.points, plan.label_names, image=(files.images[0], case.image.source),
            voxels=settings.coordinates == "voxels", names=settings.names,
            options=reading,
        )  # fmt: skip
    except NoPoints:
        if not settings.any_points:
            raise
        prompts = []
        _say(f"{files.points}: holds no points: nothing is segmented")
    scan = replace(case, prompts=tuple(prompts))
    if prompts:
        check_scan(scan, settings.any_points)
        result = predictor.segment(scan)
    else:
        result = merge([], case.image.source, notes=examine(scan, predictor.model).notes)
    for note in result.notes:
        _say(f"warning: {note}")
    for segmented in result.objects:
        dice, prompt = segmented.expected_dice, segmented.prompt
        expected = "" if dice is None else f", expected Dice {dice:.2f}"
        name = prompt.name or prompt.label
        count = len(prompt.corrections)
        corrected = f", {count} correction{'s' if count > 1 else ''}" if count else ""
        _say(f"{name}: {segmented.volume_ml:.2f} ml{expected}{corrected}")
        for reason in segmented.reasons:
            _say(f"warning: {name}: look first: {reason}")
    maps = {settings.output_slug(plan): result.label}
    if settings.outputs:
        values = {name: value for value, name in plan.labels.items()}
        maps = {slug: (result.label == values[name]).astype(np.uint8)
                for name, slug in settings.outputs.items()}  # fmt: skip
    written = []
    for slug, label in maps.items():
        path = output / "images" / slug / f"{files.name}.mha"
        write_label_array(path, label, result.source)
        written.append(path)
        _say(f"written: {path}")
    return written


def main() -> int:
    """Run in the places of a container; return its exit status: 0, or 1 with a line on stderr."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # what grand-challenge finds on stderr it reports as a warning of the algorithm
    logging.basicConfig(stream=sys.stdout, level=logging.WARNING)
    warnings.showwarning = lambda message, *_, **__: _say(f"note: {one_line(str(message))}")
    keep_temporary_files_away()
    try:
        with tempfile.TemporaryDirectory() as cache:  # there may be no home to write to
            os.environ.setdefault("MPLCONFIGDIR", cache)
            return _run()
    except FileNotFoundError:  # no folder at all that can be written to
        return _run()


def _run() -> int:
    places = {name: Path(os.environ.get(variable) or place)
              for name, (variable, place) in _PLACES.items()}  # fmt: skip
    try:
        if len(sys.argv) > 1:
            raise RequestError(f"the algorithm takes no arguments, got {' '.join(sys.argv[1:])}")
        run_algorithm(places["input"], places["output"], places["model"])
    except Exception as error:
        sys.stderr.write(f"Error: {describe_failure(error)}\n")
        return 1
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
