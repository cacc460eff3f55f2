"""InteractiveNet: minimally interactive 3D medical image segmentation.

Given six points at the edge of an object, a trained network segments the object.

The names of this module are the stable interface; modules below it may change at any time. Each
name is loaded when it is first used, so that importing the package is fast.

Example:
    >>> from interactivenet import Predictor  # doctest: +SKIP
    >>> predictor = Predictor("results/models/Task101_SARCOMA")  # doctest: +SKIP
    >>> predictor.segment("scan.nii.gz", "points.mrk.json").save("out.nii.gz")  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module

#: type checkers take it for true; `typing` itself would double the time that this import takes
TYPE_CHECKING = False

__version__ = "0.3.0"

if TYPE_CHECKING:
    from interactivenet.datasets.roots import Roots
    from interactivenet.encoding.geodesic import geodesic_distance
    from interactivenet.encoding.maps import encode_prompts
    from interactivenet.errors import DataError, InteractiveNetError, RequestError
    from interactivenet.evaluation.metrics import evaluate_masks
    from interactivenet.imaging.geometry import Geometry
    from interactivenet.imaging.io import read_image, read_label, write_label
    from interactivenet.imaging.volume import Volume
    from interactivenet.inference.options import InferenceOptions
    from interactivenet.inference.predictor import Predictor
    from interactivenet.inference.session import Session
    from interactivenet.models.bundle import load_model
    from interactivenet.pipeline.convert import convert_dataset
    from interactivenet.pipeline.dataset import check_dataset
    from interactivenet.pipeline.demo import demo
    from interactivenet.pipeline.deploy import deploy
    from interactivenet.pipeline.ensemble import ensemble
    from interactivenet.pipeline.evaluate import evaluate
    from interactivenet.pipeline.evaluate_corrections import evaluate_corrections
    from interactivenet.pipeline.export import export
    from interactivenet.pipeline.infer import infer
    from interactivenet.pipeline.models import convert_model, download_model, install_model
    from interactivenet.pipeline.plan import FoldOptions, plan
    from interactivenet.pipeline.predict import predict
    from interactivenet.pipeline.robustness import robustness
    from interactivenet.pipeline.select import select
    from interactivenet.pipeline.simulate import simulate
    from interactivenet.pipeline.test import test
    from interactivenet.pipeline.train import train
    from interactivenet.pipeline.validate import validate
    from interactivenet.planning.options import PlanningOptions
    from interactivenet.postprocessing.merging import Segmentation, SegmentedObject
    from interactivenet.prompts.corrections import Correction
    from interactivenet.prompts.io import read_prompts, write_prompts
    from interactivenet.prompts.prompt import LabelNames, Prompt
    from interactivenet.prompts.simulation import SimulationOptions, simulate_prompts
    from interactivenet.training.options import TrainingOptions

#: module -> the names that it gives
_NAMES_OF = {
    "datasets.roots": ("Roots",),
    "encoding.geodesic": ("geodesic_distance",),
    "encoding.maps": ("encode_prompts",),
    "errors": ("DataError", "InteractiveNetError", "RequestError"),
    "evaluation.metrics": ("evaluate_masks",),
    "imaging.geometry": ("Geometry",),
    "imaging.io": ("read_image", "read_label", "write_label"),
    "imaging.volume": ("Volume",),
    "inference.options": ("InferenceOptions",),
    "inference.predictor": ("Predictor",),
    "inference.session": ("Session",),
    "models.bundle": ("load_model",),
    "pipeline.convert": ("convert_dataset",),
    "pipeline.dataset": ("check_dataset",),
    "pipeline.demo": ("demo",),
    "pipeline.deploy": ("deploy",),
    "pipeline.ensemble": ("ensemble",),
    "pipeline.evaluate": ("evaluate",),
    "pipeline.evaluate_corrections": ("evaluate_corrections",),
    "pipeline.export": ("export",),
    "pipeline.infer": ("infer",),
    "pipeline.models": ("convert_model", "download_model", "install_model"),
    "pipeline.plan": ("FoldOptions", "plan"),
    "pipeline.predict": ("predict",),
    "pipeline.robustness": ("robustness",),
    "pipeline.select": ("select",),
    "pipeline.simulate": ("simulate",),
    "pipeline.test": ("test",),
    "pipeline.train": ("train",),
    "pipeline.validate": ("validate",),
    "planning.options": ("PlanningOptions",),
    "postprocessing.merging": ("SegmentedObject", "Segmentation"),
    "prompts.corrections": ("Correction",),
    "prompts.io": ("read_prompts", "write_prompts"),
    "prompts.prompt": ("LabelNames", "Prompt"),
    "prompts.simulation": ("SimulationOptions", "simulate_prompts"),
    "training.options": ("TrainingOptions",),
}
_MODULE_OF = {name: module for module, names in _NAMES_OF.items() for name in names}

__all__ = [
    "Correction", "DataError", "FoldOptions", "Geometry", "InferenceOptions", "InteractiveNetError",
    "LabelNames", "PlanningOptions", "Predictor", "Prompt", "RequestError", "Roots", "Segmentation",
    "SegmentedObject", "Session", "SimulationOptions", "TrainingOptions", "Volume", "__version__",
    "check_dataset", "convert_dataset", "convert_model", "demo", "deploy", "download_model",
    "encode_prompts", "ensemble", "evaluate", "evaluate_corrections", "evaluate_masks",
    "export", "geodesic_distance", "infer", "install_model", "load_model", "plan", "predict",
    "read_image", "read_label", "read_prompts", "robustness", "select", "simulate",
    "simulate_prompts", "test", "train", "validate", "write_label", "write_prompts",
]  # fmt: skip


if not TYPE_CHECKING:  # they would take it that any name is there

    def __getattr__(name: str) -> object:
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
