"""``interactivenet deploy``: turn trained folds into a model that others can run."""

from __future__ import annotations

from pathlib import Path

import click

from interactivenet.cli.base import (
    Command,
    processed_option,
    required,
    results_option,
    task_option,
)


@click.command("deploy", cls=Command)
@task_option
@click.option("--folds", default="all", show_default=True, metavar="K,K|all",
              help="Which folds to deploy.")  # fmt: skip
@click.option("--zip", "zipped", is_flag=True, help="Write models/TASK.zip, too, to hand on.")
@click.option("--grand-challenge", "algorithm", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Write what a grand-challenge algorithm is built from.")  # fmt: skip
@click.option("--settings", type=click.Path(path_type=Path), metavar="FILE",
              help="JSON: the algorithm's interfaces (docs/how-to/deploying.md).")  # fmt: skip
@click.option("--image", default="interactivenet", show_default=True,
              help="The container image that the algorithm is built on.")  # fmt: skip
@click.option("--description", default="", metavar="TEXT",
              help="First paragraph of the model card: data, makers, licence.")  # fmt: skip
@processed_option
@results_option
@click.pass_context
def deploy(
    ctx: click.Context,
    task: str | None,
    folds: str,
    zipped: bool,
    algorithm: Path | None,
    settings: Path | None,
    image: str,
    description: str,
    processed: Path | None,
    results: Path | None,
) -> None:
    """Write a trained task as a bundle: weights, plan, postprocessing, checksums, model card.

    The bundle goes to models/TASK of the results, where infer finds it; it can be moved anywhere,
    and holds no patient's name. With --grand-challenge a model that is deployed already (or was
    installed) needs nothing of its task.
    """
    from interactivenet.cli.postprocess import make_choice
    from interactivenet.cli.predicting import stage
    from interactivenet.cli.reporting import counted, say
    from interactivenet.datasets.task import Roots, check_task_name
    from interactivenet.errors import RequestError
    from interactivenet.models.bundle import BUNDLE, CARD, bundle_files, read_bundle
    from interactivenet.models.model import own_model, parse_folds
    from interactivenet.pipeline.deploy import deploy as write
    from interactivenet.pipeline.deploy import describe
    from interactivenet.pipeline.select import is_current
    from interactivenet.system.archives import zip_folder

    name = required(task, "-t / --task")
    check_task_name(name)
    if not image.strip():
        raise click.UsageError("--image is empty: expected the name of an image.")
    if settings is not None and algorithm is None:
        raise click.UsageError("--settings belongs to --grand-challenge.")
    roots = Roots.choose(processed=processed, results=results)
    folder = roots.results / "models" / name
    wanted = parse_folds(folds)
    if algorithm is not None:
        from interactivenet.grand_challenge.folder import check_target
        from interactivenet.grand_challenge.settings import AlgorithmSettings

        check_target(algorithm)
        chosen = AlgorithmSettings() if settings is None else AlgorithmSettings.load(settings)
    archive = folder.with_name(f"{name}.zip")
    try:
        numbers = own_model(roots, name, wanted, choice=False).folds
    except RequestError:
        if not (folder / BUNDLE).exists() or wanted is not None or description:
            raise
        read_bundle(folder)
        say(f"{folder}: deployed before, and there is no trained fold of the task: left as it is")
    else:
        with stage(ctx, "deploy", roots.results / name / "deploy") as (run, _):
            if not is_current(roots, name, wanted):
                make_choice(roots, name, wanted)
            model = own_model(roots, name, wanted)
            run.note(plan=model.plan.digest, weights=model.digests, choices=model.choices())
            about = describe(roots, model, description)
            found = write(model, folder, about, roots.results / name / "deploy" / "before")
        for path in found.aside:
            say(f"{path}: was in the bundle before, and is not in the new one")
        what = "written" if found.changed else "has just this already: kept"
        say(f"{folder}: {counted(len(numbers), 'fold')}, {what}; read and complete its {CARD}")
        if found.changed and archive.exists() and not zipped:
            archive.unlink()
            say(f"{archive}: was of the model before, and is removed (--zip writes it)")
    if zipped:
        zip_folder(folder, archive, name, bundle_files(folder))
        say(f"{archive}: 'interactivenet models install {archive.name}' elsewhere")
    if algorithm is not None:
        from interactivenet.grand_challenge.folder import write_algorithm

        write_algorithm(folder, algorithm, chosen, image)
        say(f"{algorithm}: do_build.sh, do_test_run.sh, do_save.sh; README.md names the interfaces")
