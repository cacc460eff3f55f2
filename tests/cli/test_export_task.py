"""What a task's own models export: ``test`` in other formats, and codes that ``deploy`` adds."""

import json

from click.testing import CliRunner

from interactivenet.cli import main
from interactivenet.models.bundle import BUNDLE, CARD, read_bundle
from tests.cli.trained_command import CPU, case_of, copied_root, run
from tests.raw_task import read
from tests.training.trained_task import NAME


def test_test_exports_the_results_of_all_folds(trained, tmp_path):
    root = copied_root(trained, tmp_path)
    words = ["test", "-t", NAME, "--no-mlflow", *CPU]
    done = run(root, *words, "--format", "seg.nrrd")
    assert done.exit_code == 0, done.output
    predictions = root / "results" / NAME / "predictions"
    case = case_of(root).name
    assert len(list(predictions.rglob("*.seg.nrrd"))) == 2
    assert (predictions / "ensemble" / f"{case}.seg.nrrd").exists()
    record = read(predictions / "ensemble" / f"{case}.json")
    single = read(predictions / "fold_0" / f"{case}.json")
    assert record["labels"] == single["labels"] == {"1": "tumour"}
    assert record["model"]["name"] == NAME
    assert record["model"]["digest"] != single["model"]["digest"]
    # there is no DICOM: said of each case, and all else is kept
    done = run(root, *words, "--format", "seg.nrrd", "--format", "dcm-seg")
    assert done.exit_code == 1 and "2 files already written" in done.output
    reasons = read(predictions / "failures.json")["test"]
    assert len(reasons) == 2 and "is no DICOM series" in reasons[case]
    assert run(root, *words, "--format", "mha").exit_code == 2


def test_deploy_keeps_codes_in_the_bundle(trained, tmp_path):
    root = copied_root(trained, tmp_path)
    folder = root / "results" / "models" / NAME
    codes = tmp_path / "codes.json"

    def deploy(*words):
        return run(root, "deploy", "-t", NAME, *words, raw=False)

    codes.write_text(json.dumps({"spleen": "Spleen"}), encoding="utf-8")
    done = deploy("--codes", codes)
    assert done.exit_code == 2 and "has codes of 'spleen': expected labels among tumour" in (
        " ".join(done.output.split())
    )
    assert not folder.exists()
    codes.write_text(json.dumps({"tumour": "Neoplasm", "spleen": "Spleen"}), encoding="utf-8")
    done = deploy("--codes", codes)
    assert done.exit_code == 0
    assert "--codes: not used of spleen: there is no such label" in " ".join(done.output.split())
    assert read(folder / BUNDLE)["codes"]["tumour"]["type"][2] == "Neoplasm"
    assert "tumour: Neoplasm" in (folder / CARD).read_text(encoding="utf-8")
    words = ["models", "show", NAME, "--results", str(root / "results")]
    assert "codes: tumour: Neoplasm" in CliRunner().invoke(main, words).output
    # deployed again, without a word of codes: they stay, and that is said
    done = deploy()
    assert "already up to date" in done.output and "codes of its labels are kept" in done.output
    codes.write_text("{}", encoding="utf-8")
    assert "written" in deploy("--codes", codes).output
    assert read_bundle(folder).codes == {} and read(folder / BUNDLE)["schema_version"] == 2
