"""MLflow: one run a training, the model with signature and example, registered, with its aliases."""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from features.errors import ConfigurationError
from models.backend import open_experiment, quiet_mlflow, told
from models.taxonomy import taxonomy

if TYPE_CHECKING:
    from models.causes import CauseModel
    from models.risk import RiskModel

SCORER = Path(__file__).with_name("scorer.py")
REQUIREMENTS = ("lightgbm", "numpy", "pandas", "mlflow")
LISTS = (
    "features",
    "feature_versions",
    "constant_features",
    "train_cutoffs",
    "season",
)  # of a model's meta: a run is told how many
CARD = "model_card.json"  # artifact of a run: the facts of the model card


def registered_name(source: str) -> str:
    """Name of the registered model of a source."""
    return f"holdfast-{source}"


def data_hash(tables: Path) -> str:
    """Hash of the bytes of all contract tables."""
    digest = hashlib.sha256()
    for path in sorted(tables.glob("*.parquet")):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def code_version() -> str:
    """The commit of the code, with `-changed` if files differ from it; "unknown" outside git."""
    try:
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run(["git", "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit.stdout.strip() + ("-changed" if changed.stdout.strip() else "")


def signature_of(features: Sequence[str]) -> Any:
    """Schema of the logged model: each feature a number, which may be null, and the cut-off as text; out comes the risk."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    inputs = [*(ColSpec("double", name) for name in features), ColSpec("string", "as_of")]
    return ModelSignature(Schema(inputs), Schema([ColSpec("double", "risk")]))


def requirements() -> list[str]:
    """What the logged model needs to be loaded, in the versions it was trained with."""
    return [f"{name}=={version(name)}" for name in REQUIREMENTS]


def log_training(
    source: str,
    model: RiskModel,
    why: CauseModel,
    folder: Path,
    causes: Path,
    rows: pd.DataFrame,
    params: Mapping[str, Any],
    tables: Path,
    metrics: Mapping[str, float],
) -> None:
    """Track a training and register its models as `challenger`; the very same models are registered once only.

    `folder` holds the risk model, `causes` the model of causes that goes with it; `metrics` are logged as they are.
    """
    with quiet_mlflow() as mlflow:
        client = mlflow.MlflowClient()
        found = versions_of(client, source, model, why)
        if found:
            client.set_registered_model_alias(registered_name(source), "challenger", found[-1].version)
            return

        open_experiment(mlflow, f"holdfast/{source}")
        first = rows.head(5).reset_index(drop=True)
        example = first[model.features].astype(float).assign(as_of=first["as_of"].astype(str))  # as a request writes it
        with mlflow.start_run(run_name=f"train {source}"):
            counted = {name: len(model.meta[name]) for name in LISTS if name in model.meta}
            mlflow.log_params({**params, **model.meta, **counted})
            hashes = {"model_hash": model.content_hash, "cause_hash": why.content_hash}
            mlflow.set_tags(
                {
                    **hashes,
                    "data_hash": data_hash(tables),
                    "code_version": code_version(),
                    "taxonomy_version": str(taxonomy().version),
                }
            )
            known = {name: value for name, value in metrics.items() if math.isfinite(value)}
            mlflow.log_metrics({"train_rows": len(rows), "train_losses": float(rows["label"].sum()), **known})
            info = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(SCORER),
                artifacts={"model": str(folder), "causes": str(causes)},
                signature=signature_of(model.features),
                input_example=example,
                pip_requirements=requirements(),
                registered_model_name=registered_name(source),
            )
            number = str(info.registered_model_version)
            for name, value in hashes.items():
                client.set_model_version_tag(registered_name(source), number, name, value)
            client.set_registered_model_alias(registered_name(source), "challenger", number)


def log_evaluation(
    source: str,
    model: RiskModel,
    why: CauseModel,
    metrics: Mapping[str, Any],
    predictions: pd.DataFrame,
    texts: Mapping[str, str],
) -> None:
    """Add the evaluation to the run of the models: its metrics and criteria, and `texts` as artifacts by their name."""
    from models.campaign import values_of  # slow to load, and needed by nobody who asks for hashes alone

    with quiet_mlflow() as mlflow:
        latest = own_version(mlflow, source, model, why)
        open_experiment(mlflow, f"holdfast/{source}")
        with mlflow.start_run(run_id=latest.run_id):
            for population, models in metrics["population"].items():
                for column, cells in models.items():
                    for metric, cell in cells["mean"].items():
                        value = cell["value"] if isinstance(cell, Mapping) else cell
                        if value is not None:
                            mlflow.log_metric(f"{population}.{column}.{metric}", float(value))
            mlflow.log_metrics(values_of(metrics.get("money", {})))
            for population, found in metrics.get("label_free", {}).items():
                off = {f"label_free.{population}.{name}.error": value for name, value in found["error"].items()}
                mlflow.log_metrics({name: value for name, value in off.items() if value is not None})
            for criterion in metrics["gate"]["criteria"]:
                if criterion["figure"] is not None:
                    mlflow.log_metric(f"gate.{criterion['name']}", criterion["figure"])
            mlflow.log_text(json.dumps(metrics, indent=1), "metrics.json")
            for name, text in texts.items():
                mlflow.log_text(text, name)
            mlflow.log_figure(_calibration_figure(predictions), "calibration.png")
            mlflow.set_tags({"gate_passed": metrics["gate"]["passed"], "gate_why": metrics["gate"]["why"]})


def run_of(source: str, model: RiskModel, why: CauseModel) -> dict[str, dict[str, Any]]:
    """What the run of these very models was told when they were trained: "params", "tags" and "metrics" by name."""
    with quiet_mlflow() as mlflow:
        data = mlflow.MlflowClient().get_run(own_version(mlflow, source, model, why).run_id).data
    return {"params": dict(data.params), "tags": dict(data.tags), "metrics": dict(data.metrics)}


def log_benchmark(name: str, params: Mapping[str, Any], metrics: Mapping[str, float], files: Sequence[Path]) -> None:
    """A run of the experiment `holdfast/<name>` with what a benchmark measured and wrote."""
    with quiet_mlflow() as mlflow:
        open_experiment(mlflow, f"holdfast/{name}")
        with mlflow.start_run(run_name=f"benchmark {name}"):
            mlflow.log_params(params)
            mlflow.log_metrics({key: value for key, value in metrics.items() if math.isfinite(value)})
            mlflow.set_tag("code_version", code_version())
            for file in files:
                mlflow.log_artifact(str(file))


def open_tuning(source: str, study: str, params: Mapping[str, Any], fresh: bool) -> str:
    """Id of the run of a search, which its trials are nested in: one that goes on, unless `fresh`, goes on in its run."""
    with quiet_mlflow() as mlflow:
        client = mlflow.MlflowClient()
        experiment = open_experiment(mlflow, f"holdfast/{source}")
        found = client.search_runs([experiment], f"tags.study = '{study}'", max_results=1)
        if found and not fresh:
            identity = str(found[0].info.run_id)
            client.update_run(identity, status="RUNNING")
            return identity
        run = client.create_run(
            experiment, tags={"study": study, "code_version": code_version()}, run_name=f"tune {source}"
        )
        for name, value in params.items():
            client.log_param(run.info.run_id, name, value)
        return str(run.info.run_id)


def log_trial(
    parent: str, number: int, params: Mapping[str, Any], metrics: Mapping[str, float], tags: Mapping[str, str]
) -> None:
    """A run of one trial, nested in the search's."""
    from mlflow.entities import Metric, Param, RunTag

    with quiet_mlflow() as mlflow:
        client = mlflow.MlflowClient()
        experiment = client.get_run(parent).info.experiment_id
        run = client.create_run(experiment, tags={"mlflow.parentRunId": parent}, run_name=f"trial {number}")
        now = run.info.start_time
        client.log_batch(
            run.info.run_id,
            [Metric(name, value, now, 0) for name, value in metrics.items() if math.isfinite(value)],
            [Param(name, str(value)) for name, value in params.items()],
            [RunTag(name, value) for name, value in tags.items()],
        )
        client.set_terminated(run.info.run_id)


def close_tuning(parent: str, metrics: Mapping[str, float], tags: Mapping[str, str], files: Sequence[Path]) -> None:
    """What a search came to, with the files that say so."""
    with quiet_mlflow() as mlflow:
        client = mlflow.MlflowClient()
        for name, value in metrics.items():
            client.log_metric(parent, name, value)
        for name, text in tags.items():
            client.set_tag(parent, name, text)
        for file in files:
            client.log_artifact(parent, str(file))
        client.set_terminated(parent)


def versions_of(client: Any, source: str, model: RiskModel, why: CauseModel) -> list[Any]:
    """Registered versions of these very models, oldest first."""
    wanted = f"name='{registered_name(source)}' and tags.model_hash='{model.content_hash}'"
    found = [item for item in client.search_model_versions(wanted) if item.tags.get("cause_hash") == why.content_hash]
    return sorted(found, key=lambda item: int(item.version))


def own_version(mlflow: Any, source: str, model: RiskModel, why: CauseModel) -> Any:
    """The registered version of these very models. Raises ConfigurationError if there is none."""
    found = versions_of(mlflow.MlflowClient(), source, model, why)
    if not found:
        raise ConfigurationError(
            f"MLflow at {told(mlflow.get_tracking_uri())} knows no model with hash {model.content_hash} and causes with "
            f"hash {why.content_hash}. Run `holdfast train` for this source again."
        )
    return found[-1]


@contextmanager
def logged_model(source: str, which: str) -> Iterator[Path]:
    """Folder with the MLflow model behind an alias or a version of the registry, while the context lasts.

    Raises ConfigurationError if there is no such alias or version.
    """
    with tempfile.TemporaryDirectory(prefix="holdfast-model-") as target, quiet_mlflow() as mlflow:
        try:
            folder = mlflow.artifacts.download_artifacts(
                artifact_uri=f"models:/{registered_name(source)}{'/' if which.isdigit() else '@'}{which}",
                dst_path=target,
            )
        except mlflow.exceptions.MlflowException as error:
            raise ConfigurationError(
                f"{which!r} is neither a folder with a model nor an alias or version of {registered_name(source)} in MLflow: "
                f"{str(error).splitlines()[0]} Known aliases are 'challenger', and 'champion' once the gate is passed."
            ) from None
        yield Path(folder)


@contextmanager
def downloaded_model(source: str, which: str) -> Iterator[Path]:
    """Folder with the files of the risk model inside that MLflow model; those of the causes lie beside it."""
    with logged_model(source, which) as folder:
        yield folder / "artifacts" / "model"


def version_behind(source: str, alias: str) -> str:
    """The version of the registered model that an alias names."""
    with quiet_mlflow() as mlflow:
        return str(mlflow.MlflowClient().get_model_version_by_alias(registered_name(source), alias).version)


def _calibration_figure(predictions: pd.DataFrame) -> Any:
    from matplotlib.figure import Figure

    from models.metrics import reliability

    table = reliability(predictions["label"], predictions["risk"])
    figure = Figure(figsize=(5, 5))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    axes.plot(table.iloc[:, 1], table.iloc[:, 2], marker="o")
    axes.set_xlabel("predicted risk")
    axes.set_ylabel("share lost")
    return figure
