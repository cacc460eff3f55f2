"""Pretrained models as files: downloaded, installed, converted, into ``models`` of the results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from interactivenet.datasets.roots import Roots, check_task_name
from interactivenet.errors import InteractiveNetError, RequestError
from interactivenet.models import registry
from interactivenet.models.registry import DOWNLOADS, PUBLISHED
from interactivenet.pipeline.reporting import SILENT, Reporter
from interactivenet.system.files import remove

if TYPE_CHECKING:
    from interactivenet.models.download import Progress
    from interactivenet.models.registry import Convert

#: what the label of a model of the original program is called where nobody says
LABEL = "tumour"
KEPT = "kept"


@dataclass(frozen=True)
class InstalledModel:
    """A model in the folder of models.

    Attributes:
        name: By which ``infer`` finds it.
        folder: Of the bundle; ``Predictor(folder)`` loads it.
        outcome: 'installed', 'already installed', 'converted', or 'kept' where nothing was done
            because a model of that name is there.
    """

    name: str
    folder: Path
    outcome: str


def models_folder(roots: Roots | None) -> Path:
    """Return the folder of installed models."""
    return (roots or Roots.choose()).results / "models"


def download_model(
    model: str,
    *,
    checksum: str | None = None,
    name: str | None = None,
    overwrite: bool = False,
    roots: Roots | None = None,
    reporter: Reporter = SILENT,
    progress: Progress | None = None,
) -> InstalledModel:
    """Download a published model, or the zip at an address, check it, and install it.

    An interrupted download is continued. Models of the original program are converted.

    Args:
        model: Name of a published model, or an address that begins with ``https://``.
        checksum: That the zip must have, ``"sha256:..."`` or ``"md5:..."``.
        name: ``TaskXXX_NAME`` to install it as, in place of its task's.
        overwrite: Replace a model of that name.
        roots: Folders of the tasks; by default those of the environment variables.
        reporter: Receives the messages and the progress.
        progress: Is called with the bytes done and the bytes in all, None where that is unknown.

    Returns:
        Where the model is, and what was done.

    Raises:
        RequestError: For an unknown name, where the archive does not answer, or where another
            model has the name and is not to be replaced.
        DataError: Where the download is not what it should be.
    """
    from interactivenet.models.bundle import check_no_others

    folder = models_folder(roots)
    if model in PUBLISHED:
        name = name or model
    elif "://" in model and not checksum:
        reporter.say(
            "no `checksum` was given: the download is checked against the bundle's own checksums"
            " only"
        )
    if name is not None:
        check_task_name(name)
        if (folder / name).exists() and not overwrite:
            reporter.say(
                f"{folder / name}: is installed already: `overwrite=True` downloads it again"
            )
            return InstalledModel(name, folder / name, KEPT)
        check_no_others(folder / name)
    path = registry.download(model, folder / DOWNLOADS, checksum=checksum, progress=progress)
    try:
        installed, outcome = registry.install(
            path, folder, overwrite=overwrite, name=name, convert=_converter(model, name, reporter)
        )
    except InteractiveNetError:
        reporter.say(f"{path}: the download is kept")
        raise
    remove(path)
    return _reported(InstalledModel(installed, folder / installed, outcome), reporter)


def install_model(
    file: Path | str,
    *,
    name: str | None = None,
    overwrite: bool = False,
    roots: Roots | None = None,
    reporter: Reporter = SILENT,
) -> InstalledModel:
    """Check a model, a zip or a folder that ``deploy`` wrote, and install it.

    Args:
        file: The zip or the folder.
        name: ``TaskXXX_NAME`` to install it as, in place of its task's.
        overwrite: Replace a model of that name.
        roots: Folders of the tasks; by default those of the environment variables.
        reporter: Receives the messages and the progress.

    Returns:
        Where the model is, and what was done.

    Raises:
        RequestError: Another model has the name and is not to be replaced.
        DataError: The model is not whole.
    """
    folder = models_folder(roots)
    installed, outcome = registry.install(Path(file), folder, overwrite=overwrite, name=name)
    return _reported(InstalledModel(installed, folder / installed, outcome), reporter)


def convert_model(
    source: Path | str,
    *,
    task: str | None = None,
    label: str = LABEL,
    modality: str | None = None,
    grow: bool = False,
    overwrite: bool = False,
    roots: Roots | None = None,
    reporter: Reporter = SILENT,
) -> InstalledModel:
    """Turn a model published by InteractiveNet 0.2.x into a model of this version, and install it.

    Args:
        source: Its folder or zip; nothing in it is executed.
        task: ``TaskXXX_NAME`` to install it as; by default that of the source.
        label: Name of its label.
        modality: Name of its image; by default CT or MR, as the source says.
        grow: Let the points' box first grow by the depth of margin points, so that cuts are as
            large as those that the model was trained on.
        overwrite: Replace a model of that name.
        roots: Folders of the tasks; by default those of the environment variables.
        reporter: Receives the messages and the progress.

    Returns:
        Where the model is, and what was done.

    Raises:
        RequestError: A model of that name is there.
        DataError: Something in the source is not understood.
    """
    from interactivenet.legacy import convert_model as convert
    from interactivenet.legacy import task_name
    from interactivenet.models.bundle import check_no_others

    source = Path(source)
    name = task_name(source, task)
    target = models_folder(roots) / name
    if target.exists() and not overwrite:
        raise RequestError(
            f"{target} exists",
            remedy="`overwrite=True` replaces it; or choose another name with `task`",
        )
    check_no_others(target)
    convert(source, target, name=name, label=label, modality=modality, grow=grow, note=reporter.say)
    return _reported(InstalledModel(name, target, "converted"), reporter)


def _reported(model: InstalledModel, reporter: Reporter) -> InstalledModel:
    reporter.say(f"{model.folder}: {model.outcome}; `infer(task={model.name!r})` uses it")
    return model


def _converter(model: str, name: str | None, reporter: Reporter) -> Convert:
    """Return what makes a bundle of a model of the original program; name: that it gets."""

    def convert(source: Path, target: Path) -> None:
        from interactivenet.legacy import convert_model

        task = name or source.name
        try:
            check_task_name(task)
        except RequestError as error:
            raise RequestError(
                f"{model}: {error}", remedy="give it another name with `name`"
            ) from error
        reporter.say(f"{model}: is a model of the original program: converting it")
        published = PUBLISHED.get(model)
        convert_model(
            source, target, name=task, label=published.label if published else LABEL,
            modality=published.modalities[0] if published else None,
            note=lambda line: reporter.say(f"{model}: {line}"),
        )  # fmt: skip

    return convert
