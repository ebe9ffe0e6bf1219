"""The model that a command is told to use: a folder, an alias or a version of the registry; or the one that made the scores."""

from __future__ import annotations

from pathlib import Path

from features.errors import ConfigurationError
from models.causes import CauseModel
from models.lineage import Lineage, read_lineage
from models.risk import RiskModel
from models.tracking import data_hash, downloaded_model, version_behind
from pipeline.artifacts import damaged, missing
from pipeline.layout import Layout


def resolve_model(layout: Layout, model: str | None) -> tuple[RiskModel, CauseModel, str | None]:
    """The model at a path or behind an alias of the registry, the source's own where None; that of causes beside it; and
    the version in the registry, None where it came from a folder."""
    if model is None or Path(model).is_dir():
        folder = layout.model if model is None else Path(model)
        return RiskModel.load(folder), CauseModel.load(folder.parent / layout.causes.name), None
    with downloaded_model(layout.source, model) as folder:
        risk, why = RiskModel.load(folder), CauseModel.load(folder.parent / layout.causes.name)
    return risk, why, model if model.isdigit() else version_behind(layout.source, model)


def models_of_scores(layout: Layout) -> tuple[RiskModel, CauseModel]:
    """The models that made the source's scores: its own, else the version of the registry that the scores name.

    Raises ConfigurationError if neither is the model that made them, or there are no scores.
    """
    made = lineage_of_scores(layout)
    risk, why, _ = resolve_model(layout, None)
    if _made(made, risk, why):
        return risk, why
    if made["model_version"] is not None:
        risk, why, _ = resolve_model(layout, str(made["model_version"]))
        if _made(made, risk, why):
            return risk, why
    raise ConfigurationError(
        f"{layout.scores} was made by the model {made['model_hash']} with the causes {made['cause_hash']}, which are not those of "
        f"{layout.artifacts}"
        + ("." if made["model_version"] is None else f", nor version {made['model_version']} of the registry.")
        + f" Run `holdfast score --source {layout.source}` again, with --model where a version of the registry is to score."
    )


def require_scored_tables(layout: Layout) -> None:
    """Raise ConfigurationError if the tables are no longer those that were scored: what is worked out of them beside the
    scores would be of other accounts and amounts."""
    made = lineage_of_scores(layout)
    if data_hash(layout.tables) != made["data_hash"]:
        raise ConfigurationError(
            f"{layout.scores} was made of other tables (data {made['data_hash']}) than are in {layout.tables} now. Run "
            f"`holdfast score --source {layout.source}` again."
        )


def lineage_of_scores(layout: Layout) -> Lineage:
    """Where the source's scores come from. Raises ConfigurationError if there are none, ContractError if they do not say."""
    found = read_lineage(layout.scores)
    if found is None:
        raise damaged(layout.scores, "it has no lineage") if layout.scores.exists() else missing(layout.scores)
    return found


def _made(lineage: Lineage, risk: RiskModel, why: CauseModel) -> bool:
    return bool(risk.content_hash == lineage["model_hash"] and why.content_hash == lineage["cause_hash"])
