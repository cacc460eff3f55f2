"""The viewer over HTTP: seconds from a click to its outline, memory over many opened cases.

Run with ``python -m benchmarks.viewer DATA``, the folder that holds hippocampus_mr and
sarcoma_mr_ct; without it nothing is measured. ``interactivenet serve`` runs in a process of its
own, with the starter; the clicks are margin points simulated from the labels, and a correction is
the voxel that the outline misses, or has taken in, farthest from its surface.
"""

from __future__ import annotations

import gzip
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import nibabel
import numpy as np
import psutil
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from benchmarks.report import machine, print_table, write_result
from interactivenet.imaging.io import read_label
from interactivenet.imaging.volume import Volume
from interactivenet.prompts.prompt import MARGIN_POINTS
from interactivenet.prompts.simulation import simulate_prompts

#: folder -> what the page opens of a case, and the label of the object that is outlined
DATA = {"hippocampus_mr": ("{}.nii.gz", 1), "sarcoma_mr_ct": ("{}_0000.nii.gz", 1)}
REPEATS, OPENED = 10, 50
#: opened cases after which memory is read
READ_AT = (1, 10, 20, 30, 40, 50)
_PAGE = re.compile(r"open in a browser: (\S+)")


@dataclass
class Server:
    """A server, and the process that it is."""

    client: httpx.Client
    process: psutil.Process
    revision: int = 0

    def open(self, name: str) -> str:
        """Open a case by its name."""
        cases = self.client.get("api/cases").json()["cases"]
        (case,) = [each["id"] for each in cases if each["name"] == name]
        opened = self.client.post("api/sessions", json={"case": case})
        return str(opened.raise_for_status().json()["session"])

    def outline(
        self, session: str, objects: Sequence[Mapping[str, Any]], quality: str = "quick"
    ) -> tuple[float, NDArray[Any] | None]:
        """Return the seconds until an outline is there, and the outline as stored."""
        self.revision += 1
        content = {"objects": objects, "quality": quality, "revision": self.revision}
        begun = time.perf_counter()
        answer = self.client.put(f"api/sessions/{session}/objects", json=content)
        url = answer.raise_for_status().json()["outline"]
        data = None if url is None else self.client.get(url).raise_for_status().content
        seconds = time.perf_counter() - begun
        if data is None:
            return seconds, None
        image = nibabel.Nifti1Image.from_bytes(gzip.decompress(data))
        return seconds, np.asarray(image.dataobj)


@dataclass
class Seconds:
    """Seconds of each kind of answer, of each case."""

    outline: list[float] = field(default_factory=list)
    correction: list[float] = field(default_factory=list)
    all_networks: list[float] = field(default_factory=list)
    correction_by_all: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, dict[str, float]]:
        """Median and largest of each."""
        return {
            name: {"median": round(statistics.median(runs), 3), "most": round(max(runs), 3)}
            for name, runs in vars(self).items()
        }


def main() -> None:
    """Measure, print and write ``results/viewer.json``."""
    if len(sys.argv) < 2:
        print("needs the folder of hippocampus_mr and sarcoma_mr_ct: nothing is measured")
        return
    found: dict[str, Any] = {}
    for name in DATA:
        with serving(Path(sys.argv[1]) / name / "images") as server:
            found[name] = measure_clicks(server, Path(sys.argv[1]) / name)
    with serving(Path(sys.argv[1]) / "hippocampus_mr" / "images") as server:
        memory = open_many(server, Path(sys.argv[1]) / "hippocampus_mr")
    for name, seconds in found.items():
        rows = [[kind, each["median"], each["most"]] for kind, each in seconds.items()]
        print_table(f"{name}: seconds, {REPEATS} cases", ["", "median", "most"], rows)
    print_table("Resident MB", ["cases opened", "MB"], [[k, v] for k, v in memory.items()])
    path = write_result(
        "viewer",
        {"machine": machine("torch", "starlette", "uvicorn"), "model": "starter",
         "cases": REPEATS, "seconds": found, "resident_mb_after": memory},
    )  # fmt: skip
    print(f"\n{path}")


@contextmanager
def serving(images: Path) -> Iterator[Server]:
    """Serve a folder in a process of its own, until the network is warm and beyond."""
    with tempfile.TemporaryDirectory() as place:
        log = Path(place, "log")
        command = [sys.executable, "-m", "interactivenet", "serve", str(images), "--no-browser",
                   "--port", "0", "-o", str(Path(place, "saved"))]  # fmt: skip
        with log.open("wb") as out:
            running = subprocess.Popen(command, stdout=out, stderr=out, env=dict(os.environ))
        try:
            while not (match := _PAGE.search(log.read_text(encoding="utf-8"))):
                if running.poll() is not None:
                    raise SystemExit(log.read_text(encoding="utf-8"))
                time.sleep(0.1)
            process = psutil.Process(running.pid)
            wait_until_idle(process)
            with httpx.Client(base_url=match[1], timeout=300) as client:
                yield Server(client, process)
        finally:
            running.terminate()
            running.wait(30)


def wait_until_idle(process: psutil.Process) -> None:
    """Wait until a process has done next to nothing for a second: its network is warm."""
    while process.cpu_percent(interval=1.0) > 5:
        pass


def measure_clicks(server: Server, folder: Path) -> dict[str, dict[str, float]]:
    """Outline and correct ten cases as a user does: point by point."""
    seconds = Seconds()
    for name, label, value in cases_of(folder, REPEATS):
        session = server.open(name)
        marked: dict[str, Any] = {"id": "a", "label": "object", "corrections": []}
        marked["points"] = points_of(label, value)
        for count in range(1, MARGIN_POINTS):
            server.outline(session, [marked | {"points": marked["points"][:count]}])
        spent, outline = server.outline(session, [marked])
        seconds.outline.append(spent)
        assert outline is not None
        seconds.all_networks.append(server.outline(session, [marked], "full")[0])
        marked["corrections"] = [correction_of(outline > 0, label, value)]
        seconds.correction.append(server.outline(session, [marked])[0])
        seconds.correction_by_all.append(server.outline(session, [marked], "full")[0])
        server.client.delete(f"api/sessions/{session}")
    return seconds.summary()


def open_many(server: Server, folder: Path) -> dict[str, float]:
    """Open, outline, save and close cases one after the other; return MB after some of them."""
    memory = {}
    for number, (name, label, value) in enumerate(cases_of(folder, OPENED), 1):
        session = server.open(name)
        marked = {"id": "a", "label": "object", "points": points_of(label, value)}
        server.outline(session, [marked])
        server.outline(session, [marked], "full")
        server.client.post(f"api/sessions/{session}/save", json={}).raise_for_status()
        server.client.delete(f"api/sessions/{session}")
        if number in READ_AT:
            memory[str(number)] = round(float(server.process.memory_info().rss) / 1e6, 1)
    return memory


def cases_of(folder: Path, count: int) -> Iterator[tuple[str, Volume, int]]:
    """Yield the first cases: name in the worklist, label map, value of the object."""
    name, value = DATA[folder.name]
    yielded = 0
    for path in sorted((folder / "labels").glob("*.nii.gz")):
        case = path.name.removesuffix(".nii.gz")
        if not (folder / "images" / name.format(case)).exists() or yielded == count:
            continue
        yielded += 1
        yield case, read_label(path), value


def points_of(label: Volume, value: int) -> list[list[float]]:
    """Return the margin points of an object, RAS+ mm."""
    prompts = [prompt for prompt in simulate_prompts(label) if prompt.label == value]
    points: list[list[float]] = prompts[0].points.tolist()
    return points


def correction_of(outline: NDArray[np.bool_], label: Volume, value: int) -> dict[str, Any]:
    """Return the click on the worst error of an outline as stored."""
    truth = label.stored[0] == value
    errors = truth != outline
    voxel = np.unravel_index(int(distance_transform_edt(errors).argmax()), errors.shape)
    position = label.source.voxel_to_world(np.array(voxel, float)[None])[0].tolist()
    return {"position": position, "positive": bool(truth[voxel])}


if __name__ == "__main__":
    main()
