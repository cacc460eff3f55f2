"""What `from interactivenet import ...` promises: every name, typed, and nothing loaded for it."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import interactivenet
from interactivenet.errors import InteractiveNetError

PROMISED = [
    "Predictor", "Session", "load_model", "download_model",
    "Prompt", "Correction", "LabelNames", "read_prompts", "write_prompts",
    "Volume", "Geometry", "read_image", "read_label", "write_label",
    "Segmentation", "SegmentedObject",
    "evaluate_masks", "geodesic_distance", "encode_prompts", "simulate_prompts",
    "check_dataset", "convert_dataset", "simulate", "plan", "train", "validate", "select",
    "predict", "ensemble", "test", "evaluate", "infer", "export", "robustness",
    "evaluate_corrections", "deploy", "demo",
    "convert_model", "install_model",
    "InteractiveNetError", "DataError", "RequestError",
    "PlanningOptions", "FoldOptions", "TrainingOptions", "InferenceOptions", "SimulationOptions",
    "Roots", "__version__",
]  # fmt: skip
#: what a light import must not bring along
HEAVY = ("numpy", "torch", "nibabel", "SimpleITK", "scipy", "click", "pydantic")


def run(code):
    """Run code in a process of its own and return what it prints as JSON."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_these_names_and_no_others_are_promised():
    assert sorted(interactivenet.__all__) == sorted(PROMISED)
    assert set(PROMISED) <= set(dir(interactivenet))


@pytest.mark.parametrize("name", [name for name in PROMISED if name != "__version__"])
def test_a_name_is_the_thing_itself(name):
    thing = getattr(interactivenet, name)
    assert thing.__name__ == name and callable(thing)
    assert thing is getattr(import_module(thing.__module__), name)
    summary = thing.__doc__.strip().splitlines()[0]
    assert summary.endswith((".", ":")) and not summary.startswith(f"{name}(")


def test_stages_stay_functions_whatever_is_imported():
    """A submodule of the same name would take a function's place."""
    for path in Path(interactivenet.__file__).parent.iterdir():
        assert path.stem not in interactivenet.__all__


def test_errors_are_of_one_family():
    for error in (interactivenet.DataError, interactivenet.RequestError):
        assert issubclass(error, InteractiveNetError)


def test_an_import_loads_nothing():
    loaded, after = run(
        "import sys, json, interactivenet; before = sorted(sys.modules);"
        "from interactivenet import DataError, Volume;"
        "print(json.dumps([before, sorted(sys.modules)]))"
    )
    assert not [name for name in loaded if name.partition(".")[0] in HEAVY]
    assert [name for name in loaded if name.startswith("interactivenet")] == ["interactivenet"]
    assert "numpy" in after and "torch" not in after


def test_an_import_takes_no_time():
    """Under 50 ms: the best of five, for the machine may be busy."""
    code = (
        "import time; start = time.perf_counter(); import interactivenet;"
        "print(time.perf_counter() - start)"
    )
    assert min(run(code) for _ in range(5)) < 0.05


def test_inference_does_without_monai_and_what_it_brings_along():
    """Nor does a network that is built, from its weights, need torch's compiler."""
    loaded = run(
        "import sys, json; from interactivenet.system.later_imports import import_later;"
        "import_later(); import interactivenet.pipeline.infer, interactivenet.imaging.nifti;"
        "import interactivenet.encoding.kernels;"
        "from interactivenet.inference.predictor import Predictor;"
        "Predictor('starter', device='cpu'); print(json.dumps(sorted(sys.modules)))"
    )
    assert "torch" in loaded
    packages = {name.partition(".")[0] for name in loaded}
    assert not {"monai", "matplotlib", "mlflow", "IPython", "pandas", "lightning"} & packages
    assert not {"SimpleITK", "sympy", "sklearn", "highdicom", "openvino"} & packages
    assert not {"pydicom", "requests", "urllib3"} & packages
    assert not {"torch._dynamo", "scipy.spatial"} & set(loaded)
    # there by name, but not loaded
    assert not {"numpy.f2py.f2py2e", "numpy.testing._private", "yaml.loader"} & set(loaded)


def test_names_that_are_not_there_are_refused():
    with pytest.raises(AttributeError, match="'interactivenet' has no attribute 'predict_all'"):
        _ = interactivenet.predict_all
    with pytest.raises(ImportError, match="predict_all"):
        exec("from interactivenet import predict_all")


def test_types_are_shipped():
    assert (Path(interactivenet.__file__).parent / "py.typed").exists()


def test_type_checkers_see_the_same_names():
    """The imports for type checkers are those that are made when a name is first used."""
    source = Path(interactivenet.__file__).read_text(encoding="utf-8")
    for module, names in interactivenet._NAMES_OF.items():
        assert f"    from interactivenet.{module} import " in source
        (line,) = [
            line for line in source.splitlines()
            if line.startswith(f"    from interactivenet.{module} import ")
        ]  # fmt: skip
        assert sorted(line.partition(" import ")[2].split(", ")) == sorted(names)
