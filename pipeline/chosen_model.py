"""The model that a command is told to use: a folder, an alias or a version of the registry."""

from __future__ import annotations

from pathlib import Path

from models.causes import CauseModel
from models.risk import RiskModel
from models.tracking import downloaded_model, version_behind
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
