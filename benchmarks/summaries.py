"""What a picture and a row for every case cost: of one case, and of thousands together.

The picture and the diameters of label maps of real cases, in CPU time; then the summary, the
contact sheets and the page of 200, 1,000 and 5,000 synthetic cases: the first time, and again with
nothing changed. Each number of cases has a process of its own, whose peak memory counts. Run with
``python -m benchmarks.summaries [../shared/data]``; some three minutes, 400 MB of disk.
"""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import machine, print_table, write_result
from interactivenet.imaging.channels import read_channels
from interactivenet.imaging.io import AS_IT_IS, read_label
from interactivenet.inference.object_records import case_picture, object_boxes, object_records
from interactivenet.inference.outputs import Output
from interactivenet.pipeline.case_summary import write_summary
from interactivenet.pipeline.reporting import SILENT
from interactivenet.plotting.object_views import PicturedObject
from interactivenet.plotting.thumbnails import draw_case
from interactivenet.postprocessing.merging import Segmentation, SegmentedObject
from interactivenet.prompts.prompt import Prompt
from interactivenet.system.files import write_bytes, write_json
from interactivenet.system.written import noted_files

CASES = (200, 1000, 5000)
REPEATS = 7
#: real cases: name -> images and label map, below the folder of the data
REAL = {
    "hippocampus, 2 objects": (
        ["hippocampus_mr/images/hippocampus_003.nii.gz"],
        "hippocampus_mr/labels/hippocampus_003.nii.gz",
    ),
    "sarcoma, 2 channels": (
        ["sarcoma_mr_ct/images/STS_045_0000.nii.gz", "sarcoma_mr_ct/images/STS_045_0001.nii.gz"],
        "sarcoma_mr_ct/labels/STS_045.nii.gz",
    ),
    "lung tumour, 512x512x61": (
        ["tumour_singles/images/lung2.nrrd"], "tumour_singles/labels/lung2.nrrd",
    ),
    "spine, 8 objects, 6 shown": (
        ["vertebra_pir/images/t2_vertebra.nii.gz"], "vertebra_pir/labels/t2_vertebra.nii.gz",
    ),
}  # fmt: skip


def main() -> None:
    """Measure, print the tables and write ``results/summaries.json``."""
    data = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data")
    real = [
        row
        for name, (images, label) in REAL.items()
        if (row := real_case(name, data, images, label))
    ]
    print_table(
        "a case, ms of CPU", ("", "picture", "diameters", "kB"),
        [(row["name"], row["picture_ms"], row["diameters_ms"], row["kilobytes"]) for row in real],
    )  # fmt: skip
    context = multiprocessing.get_context("spawn")
    many = []
    for number in CASES:
        with context.Pool(1) as pool:
            many.append(pool.apply(summary_of, (number,)))
    print_table(
        "all cases, s of CPU", ("", "first", "again", "peak MB", "sheets MB", "page MB"),
        [
            (
                f"{row['cases']} cases", row["first_s"], row["again_s"], row["peak_mb"],
                row["sheets_mb"], row["page_mb"],
            )
            for row in many
        ],
    )  # fmt: skip
    content = {"machine": machine("numpy", "scipy", "pillow"), "case": real, "summary": many}
    print(write_result("summaries", content))


def cpu_seconds(task: Callable[[], object]) -> float:
    """Return the CPU time that a task takes in this process."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    task()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def real_case(name: str, data: Path, images: list[str], label: str) -> dict[str, Any] | None:
    """Measure the picture and the diameters of a label map; None where it is not there."""
    if not (data / label).exists():
        return None
    image = read_channels(tuple(data / path for path in images), AS_IT_IS)
    values = np.asarray(read_label(data / label).array[0])
    numbers, objects = np.zeros(values.shape, np.int16), []
    for number, value in enumerate(sorted({*np.unique(values).tolist()} - {0}), 1):
        mask = values == value
        numbers[mask] = number
        ends = np.argwhere(mask)[[0, -1]]
        prompt = Prompt(int(value), image.grid.voxel_to_world(ends), f"label {value}")
        volume = float(mask.sum() * np.prod(image.spacing) / 1000)
        objects.append(SegmentedObject(prompt, volume, 0.9, 2, 1, 0))
    result = Segmentation(numbers.astype(np.uint16), numbers, image.source, tuple(objects))
    boxes = object_boxes(numbers, len(objects))
    picture = case_picture(name, image, result, boxes)

    def measure() -> None:
        object_records(result, object_boxes(numbers, len(objects)))

    def median_ms(task: Callable[[], object]) -> float:
        return 1000 * statistics.median(cpu_seconds(task) for _ in range(REPEATS))

    return {
        "name": name,
        "picture_ms": round(median_ms(lambda: case_picture(name, image, result, boxes)), 1),
        "diameters_ms": round(median_ms(measure), 1),
        "kilobytes": round(len(picture) / 1000, 1),
    }


def summary_of(number: int) -> dict[str, Any]:
    """Measure the summary of so many synthetic cases, noise around a box each."""
    with tempfile.TemporaryDirectory() as name:
        output = Output(Path(name), (0,), pictures=True)
        cases = [f"case_{place:05}" for place in range(number)]
        for place, case in enumerate(cases):
            _make(output, case, place)

        def summarise() -> None:
            write_summary(output, cases, {}, {}, title="Synthetic cases", reporter=SILENT)

        before = peak_mb()
        first, again = cpu_seconds(summarise), cpu_seconds(summarise)
        sheets = sum(path.stat().st_size for path in (output.folder / "sheets").glob("*.jpg"))
        return {
            "cases": number,
            "first_s": round(first, 2),
            "again_s": round(again, 2),
            "peak_mb": peak_mb(),
            "peak_before_mb": before,
            "sheets_mb": round(sheets / 1e6, 1),
            "page_mb": round((output.folder / "report.html").stat().st_size / 1e6, 2),
        }


def peak_mb() -> float:
    """Return the most memory that this process has had; what began it does not count (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return round(int(line.split()[1]) / 1024, 1)


def _make(output: Output, case: str, place: int) -> None:
    """Write the record and the picture of a case."""
    rng = np.random.default_rng(place % 20)
    image = rng.normal(size=(1, 40, 40, 40)).astype(np.float32)
    numbers = np.zeros((40, 40, 40), np.int16)
    box = (slice(10, 30), slice(12, 28), slice(8, 33))
    numbers[box] = 1
    pictured = PicturedObject(1, box, "tumour, 8.0 ml", place % 7 == 0)
    write_bytes(output.picture(case), draw_case(case, image, (1.0,) * 3, numbers, [pictured]))
    segmented = {
        "label": 1, "name": "tumour", "volume_ml": 8.0, "diameters_mm": {"axial": 25.6, "3d": 35.8},
        "expected_dice": (place % 100) / 100, "look": place % 7 == 0, "reasons": [],
    }  # fmt: skip
    record = {
        "case": case, "made_from": {"inputs": {"image 0": case}}, "notes": [],
        "objects": [segmented], "files": noted_files(output.folder, [output.picture(case)]),
    }  # fmt: skip
    write_json(output.record(case), record)


if __name__ == "__main__":
    main()
