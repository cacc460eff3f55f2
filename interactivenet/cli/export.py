"""``interactivenet export``: results as DICOM SEG, RTSTRUCT, or for 3D Slicer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from interactivenet.cli.base import Command
from interactivenet.cli.export_options import codes_option
from interactivenet.cli.folders import Access, DataPath


def _access(options: Mapping[str, Any]) -> Access:
    return "reads" if options["output"] else "writes"


@click.command("export", cls=Command)
@click.argument("results", type=DataPath(_access), metavar="RESULTS")
@click.option("--format", multiple=True, metavar="FORMAT",
              help="What to write, once for each: dcm-seg (DICOM SEG), rtstruct, seg.nrrd (3D"
              " Slicer).")  # fmt: skip
@click.option("-i", "--images", multiple=True, type=DataPath("reads"), metavar="FOLDER",
              help="Folder in which DICOM series are looked for that are not where they were, or"
              " that were segmented as NIfTI.")  # fmt: skip
@codes_option
@click.option("--name", "names", multiple=True, metavar="VALUE=NAME",
              help="Name of a label, in place of that in the records.")  # fmt: skip
@click.option("-o", "--output", type=DataPath("writes"), metavar="FOLDER",
              help="Folder for the files.  [default: RESULTS]")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Write again what was exported already.")
@click.pass_context
def export(
    ctx: click.Context,
    /,
    results: Path,
    format: tuple[str, ...],
    images: tuple[Path, ...],
    codes: Path | None,
    names: tuple[str, ...],
    output: Path | None,
    overwrite: bool,
) -> None:
    """Write results in the formats of archives, planning systems and 3D Slicer.

    RESULTS is a folder that 'infer', 'test' or the viewer has written. Each case gives
    CASE.seg.dcm, CASE.rtstruct.dcm or CASE.seg.nrrd, on the DICOM series that it was segmented on.
    """
    from interactivenet.cli.terminal import Terminal
    from interactivenet.pipeline.export import export as run_stage

    if not format:
        raise click.UsageError("Missing option '--format': dcm-seg, rtstruct or seg.nrrd.")
    exports = run_stage(
        results,
        format,
        images=images,
        codes=codes,
        names=names,
        output=output,
        overwrite=overwrite,
        reporter=Terminal(),
    )
    if exports.failures:
        ctx.exit(1)
