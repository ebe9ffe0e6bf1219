"""What MLflow is told: hashes, one version for each model, aliases, the metrics of an evaluation."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from datetime import date
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from risk_recipes import META, WHY

from features.errors import ConfigurationError
from models.causes import CauseModel
from models.registry import standing
from models.risk import Recipe, RiskModel, fit
from models.taxonomy import taxonomy
from models.tracking import (
    code_version,
    data_hash,
    downloaded_model,
    log_benchmark,
    log_evaluation,
    log_training,
    registered_name,
    run_of,
)

# MLflow's own warnings, which the library keeps quiet, reach the client of these tests
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")
NAMES = ["recency", "amount_12"]
DAY = date(2024, 3, 15)


def rows() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.gamma(2.0, 1.0, (200, 2)), columns=NAMES)
    frame["label"] = (frame["recency"] + rng.normal(0, 1, 200) > 2).astype(float)
    return frame.assign(as_of=DAY)


@pytest.fixture(scope="module")
def model() -> RiskModel:
    recipe = Recipe(3, 0.3, 3, 20, 1.0, 1.0, 1.0, 7)
    trained = fit(rows().assign(horizon=3.0), NAMES, recipe, META)
    return replace(trained, meta={**trained.meta, "train_cutoffs": ["2023-11-15", "2023-12-15"]})


@pytest.fixture
def tables(tmp_path):
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "orders.parquet").write_bytes(b"orders")
    (folder / "accounts.parquet").write_bytes(b"accounts")
    return folder


def test_the_same_bytes_have_the_same_hash_and_one_other_byte_another(tables):
    before = data_hash(tables)
    assert before == data_hash(tables)
    assert len(before) == 16
    (tables / "orders.parquet").write_bytes(b"orderz")
    assert data_hash(tables) != before
    (tables / "orders.parquet").write_bytes(b"orders")
    assert data_hash(tables) == before


def test_the_hash_knows_the_names_of_the_tables_and_nothing_of_other_files(tables):
    before = data_hash(tables)
    (tables / "notes.txt").write_text("mine")
    os.utime(tables / "orders.parquet", (0, 0))
    assert data_hash(tables) == before
    (tables / "accounts.parquet").rename(tables / "invoices.parquet")
    assert data_hash(tables) != before


def test_tables_run_together_are_not_taken_for_each_other(tables):
    (tables / "accounts.parquet").write_bytes(b"1")
    (tables / "orders.parquet").write_bytes(b"2")
    before = data_hash(tables)
    (tables / "orders.parquet").unlink()
    (tables / "accounts.parquet").write_bytes(b"1orders.parquet2")
    assert data_hash(tables) != before


def git(*arguments: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *identity, *arguments], check=True, capture_output=True, text=True).stdout.strip()


def test_the_version_of_the_code_is_its_commit_and_whether_files_differ(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    assert code_version() == "unknown"  # outside git
    git("init", "-q")
    (tmp_path / "code.py").write_text("1")
    git("add", "code.py")
    git("commit", "-q", "-m", "First", "--no-verify")
    commit = git("rev-parse", "--short", "HEAD")
    assert code_version() == commit
    (tmp_path / "new.py").write_text("not tracked")
    assert code_version() == commit
    (tmp_path / "code.py").write_text("2")
    assert code_version() == f"{commit}-changed"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert code_version() == "unknown"  # without git


@pytest.fixture(scope="module")
def client(registry):
    return mlflow.MlflowClient(os.environ["MLFLOW_TRACKING_URI"])


@pytest.fixture(scope="module")
def trained(registry, client, model):
    """The model, logged twice, another between."""
    tables = registry / "tables"
    tables.mkdir()
    (tables / "orders.parquet").write_bytes(b"orders")
    other = replace(model, meta={**model.meta, "horizon": "6 months"})
    versions = []
    for number, one in enumerate((model, other, model)):
        folder = registry / str(number) / "model"
        one.save(folder)
        causes = folder.with_name("causes")
        WHY.save(causes)
        log_training(
            "mine", one, WHY, folder, causes, rows(), {"rounds": 3}, tables, {"steady": 0.1, "odd": float("nan")}
        )
        versions.append(client.get_model_version_by_alias(registered_name("mine"), "challenger").version)
    return versions


def test_the_same_model_is_registered_once_and_the_last_trained_is_challenger(client, trained, model):
    assert [int(version) for version in trained] == [1, 2, 1]
    found = client.search_model_versions(f"name='{registered_name('mine')}'")
    assert sorted(int(version.version) for version in found) == [1, 2]
    hashes = {int(version.version): version.tags["model_hash"] for version in found}
    assert hashes[1] == model.content_hash != hashes[2]
    assert len(client.search_runs([client.get_experiment_by_name("holdfast/mine").experiment_id])) == 2


def test_the_run_tells_parameters_data_code_and_rows(client, trained, registry, model):
    version = client.get_model_version(registered_name("mine"), "1")
    run = client.get_run(version.run_id).data
    told = {name: str(value) for name, value in META.items()} | {"season": "1"}
    assert run.params == {"rounds": "3", **told, "features": "2", "feature_versions": "2", "train_cutoffs": "2"}
    assert run.tags["model_hash"] == model.content_hash
    assert run.tags["data_hash"] == data_hash(registry / "tables")
    assert run.tags["code_version"] == "unknown"
    assert run.metrics == {"train_rows": 200, "train_losses": rows()["label"].sum(), "steady": 0.1}


def test_a_model_comes_back_by_its_alias(trained, model):
    with downloaded_model("mine", "challenger") as folder:
        again = RiskModel.load(folder)
        assert CauseModel.load(folder.with_name("causes")).content_hash == WHY.content_hash
    assert not folder.exists()
    assert again.content_hash == model.content_hash
    np.testing.assert_array_equal(again.predict(rows()), model.predict(rows()))


def test_an_unknown_alias_is_refused_with_those_there_may_be(trained):
    with pytest.raises(
        ConfigurationError,
        match=r"^'nobody' is neither a folder with a model nor an alias or version of holdfast-mine in MLflow: "
        r".*Known aliases are 'challenger', and 'champion' once the gate is passed\.$",
    ):
        downloaded_model("mine", "nobody").__enter__()


def test_a_source_without_a_model_is_refused_too(trained):
    with pytest.raises(
        ConfigurationError, match=r"'challenger' is neither .* an alias or version of holdfast-other in MLflow"
    ):
        downloaded_model("other", "challenger").__enter__()


def metrics(passed: bool) -> dict:
    cells = {"auc": {"value": 0.8, "low": 0.7, "high": 0.9}, "losses": 12, "unknown": None}
    criterion = {"name": "AUC over recency", "passed": passed, "figure": 0.01, "limit": 0.0, "words": "gain"}
    gate = {"passed": passed, "why": "above every baseline" if passed else "below recency", "criteria": [criterion]}
    return {"population": {"all": {"risk": {"mean": cells}}}, "gate": gate}


PREDICTIONS = pd.DataFrame({"label": [0.0, 1.0] * 30, "risk": np.linspace(0.01, 0.99, 60)})


def test_an_evaluation_is_added_to_the_run_of_the_model(client, trained, model, tmp_path):
    log_evaluation("mine", model, WHY, metrics(passed=True), PREDICTIONS, {"model_card.md": "# Card"})
    run_id = client.get_model_version(registered_name("mine"), "1").run_id
    run = client.get_run(run_id).data
    assert (run.tags["gate_passed"], run.tags["gate_why"]) == ("True", "above every baseline")
    assert (run.metrics["all.risk.auc"], run.metrics["all.risk.losses"]) == (0.8, 12)
    assert run.metrics["gate.AUC over recency"] == 0.01
    assert "all.risk.unknown" not in run.metrics
    assert run.metrics["train_rows"] == 200  # the training's own are kept
    assert {artifact.path for artifact in client.list_artifacts(run_id)} >= {"metrics.json", "calibration.png"}
    path = client.download_artifacts(run_id, "metrics.json", str(tmp_path))
    assert json.loads(Path(path).read_text(encoding="utf-8")) == metrics(passed=True)
    path = client.download_artifacts(run_id, "model_card.md", str(tmp_path))
    assert Path(path).read_text(encoding="utf-8") == "# Card"
    assert "champion" not in client.get_registered_model(registered_name("mine")).aliases  # models/registry.py decides


def test_what_the_run_of_a_model_was_told(trained, model):
    found = run_of("mine", model, WHY)
    assert found["params"]["rounds"] == "3"
    assert found["tags"]["model_hash"] == model.content_hash
    assert found["tags"]["taxonomy_version"] == str(taxonomy().version)
    assert found["metrics"]["train_rows"] == 200


def test_a_model_comes_back_by_its_version(trained, model):
    with downloaded_model("mine", "1") as folder:
        assert RiskModel.load(folder).content_hash == model.content_hash
    with pytest.raises(ConfigurationError, match=r"'9' is neither .* version of holdfast-mine in MLflow"):
        downloaded_model("mine", "9").__enter__()


def test_what_contacting_earns_is_tracked(client, trained, model):
    cells = {"emp": {"risk": {"value": 1.5}}, "rankings": {"contact_profit": {"profit": {"value": 20.0}}}}
    log_evaluation("mine", model, WHY, {**metrics(passed=False), "money": {"active": cells}}, PREDICTIONS, {})
    run = client.get_run(client.get_model_version(registered_name("mine"), "1").run_id).data
    assert run.metrics["active.money.emp.risk"] == 1.5
    assert run.metrics["active.money.contact_profit.profit"] == 20.0


def test_the_same_risk_model_with_other_causes_is_another_version(client, trained, registry, model):
    """Else undoing a change of the causes alone would make those causes champion that were undone."""
    other = WHY.taught({"why": "Learned."})
    folder = registry / "other" / "model"
    model.save(folder)
    other.save(folder.with_name("causes"))
    tables = registry / "tables"
    log_training("mine", model, other, folder, folder.with_name("causes"), rows(), {}, tables, {})
    assert client.get_model_version_by_alias(registered_name("mine"), "challenger").version == 3
    assert standing("mine", model, WHY).version == "1"
    assert standing("mine", model, other).version == "3"


def test_an_evaluation_of_a_model_that_was_never_registered_is_refused(trained, model):
    other = replace(model, meta={**model.meta, "horizon": "9 months"})
    with pytest.raises(
        ConfigurationError,
        match=rf"knows no model with hash {other.content_hash} and causes with hash {WHY.content_hash}\. "
        r"Run `holdfast train` .* again\.$",
    ):
        log_evaluation("mine", other, WHY, metrics(passed=True), PREDICTIONS, {})


def test_a_benchmark_is_a_run_of_its_own_experiment(registry, client, tmp_path):
    (tmp_path / "page.md").write_text("# Page")
    log_benchmark("reasons", {"seeds": "1, 2"}, {"rel7": 0.7, "unknown": float("nan")}, [tmp_path / "page.md"])
    (run,) = client.search_runs([client.get_experiment_by_name("holdfast/reasons").experiment_id])
    assert (run.data.params, run.data.metrics) == ({"seeds": "1, 2"}, {"rel7": 0.7})
    assert [artifact.path for artifact in client.list_artifacts(run.info.run_id)] == ["page.md"]
