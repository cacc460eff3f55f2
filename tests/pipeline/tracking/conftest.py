"""A folder of results with an empty database, and no server: what the tests of MLflow share."""

import os
import shutil

import pytest


@pytest.fixture(autouse=True)
def no_server(monkeypatch):
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def warnings():
    return []


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """A database with MLflow's tables, which take seconds to make, and nothing in them."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def results(tmp_path, empty_database):
    folder = tmp_path / "results"
    folder.mkdir()
    shutil.copy(empty_database, folder / "mlflow.db")
    return folder
