"""Making tasks of the DICOM trees of tests."""

import json

from click.testing import CliRunner

from interactivenet.cli import main
from tests.datasets.dicom_tree.written_trees import (
    box_contours,
    uid_of,
    write_rtstruct,
    write_scan,
)

NAME = "Task105_TREE"


def convert(source, raw, *words):
    """Run ``dataset convert``."""
    line = ["dataset", "convert", str(source), "-t", NAME, "--raw", str(raw), *words]
    return CliRunner().invoke(main, line)


def record(raw):
    return json.loads((raw / NAME / "import.json").read_text(encoding="utf-8"))


def left_out(raw):
    path = raw / NAME / "failures.json"
    return json.loads(path.read_text(encoding="utf-8"))["convert"] if path.exists() else {}


def make_tree(root):
    """Write two patients with CT and a coarser MR; one is outlined on CT, the other on MR."""
    for number, patient in enumerate(("P1", "P2"), 1):
        folder = root / f"patient{number}"
        write_scan(folder / "SE1", patient=patient, study=number, description="chest")
        write_scan(folder / "SE2", patient=patient, study=number, series=2, modality="MR",
                   description="T1 post", spacing=(3.0, 2.5), shape=(6, 7, 7))  # fmt: skip
    write_rtstruct(root / "patient1" / "RS", {"GTV 1": box_contours(), "Lung": box_contours()},
                   refers_to=[uid_of(1, 1)])  # fmt: skip
    write_rtstruct(
        root / "patient2" / "RS", {"gtv": box_contours(spacing=(3.0, 2.5), box=MR_BOX)},
        refers_to=[uid_of(2, 2)], patient="P2", study=2,
    )  # fmt: skip
    return root


#: what is outlined on the MR
MR_BOX = (slice(2, 6), slice(1, 5), slice(1, 4))
WORDS = ("-m", "CT=chest", "-m", "MR=T1*", "--roi", "GTV*=tumour", "--resample-to", "CT")
