"""Runs in a folder of results, as MLflow has them."""

from interactivenet.pipeline import tracking

TASK = "Task105_TRACK"


def begin(results, warnings, **more):
    return tracking.start(results, TASK, "fold_0", warn=warnings.append, **more)


def client(results):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{results / 'mlflow.db'}")


def use(tracker, path):
    """Call all there is to be called."""
    tracker.parameters({"a": 1})
    tracker.metrics({"a": 1.0}, step=1)
    tracker.tags({"a": 1})
    tracker.artefact(path)
    tracker.finish("FAILED")


def history(results, run_id, name):
    found = client(results).get_metric_history(run_id, name)
    return sorted((one.step, one.value) for one in found)
