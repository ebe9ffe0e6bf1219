"""Past scorings, each kept under `artifacts/<source>/history/AS_OF/`: scores, features and the models' hashes."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from features.periods import Duration, Label
from models.causes import CauseModel
from models.hindsight import Scoring
from models.risk import RiskModel
from pipeline.frames import write_frame, write_text
from pipeline.layout import Layout

META_FILE = "scoring.json"


@dataclass(frozen=True)
class Past:
    """A scoring of before: `scores` as they were written, `features` index account_id, `meta` with the hashes."""

    as_of: date
    scores: pd.DataFrame
    features: pd.DataFrame
    meta: dict[str, Any]


def keep(layout: Layout, scores: pd.DataFrame, features: pd.DataFrame, model: RiskModel, why: CauseModel) -> None:
    """Keep a scoring, whole or not at all; one of the same day before it is replaced."""
    day = str(scores["as_of"].iloc[0])
    folder = layout.history / day
    temporary = layout.history / f".{day}.writing"
    shutil.rmtree(temporary, ignore_errors=True)
    write_frame(scores, temporary / "scores.parquet")
    write_frame(features.reset_index(), temporary / "features.parquet")
    meta = {
        "as_of": day,
        "model": model.content_hash,
        "causes": why.content_hash,
        **{name: model.meta.get(name) for name in ("horizon", "booking_lag", "label", "known_until")},
    }
    write_text(json.dumps(meta, indent=1, sort_keys=True) + "\n", temporary / META_FILE)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)


def last_before(layout: Layout, as_of: date) -> Past | None:
    """The latest scoring kept of a day before `as_of`; None where there is none."""
    earlier = [day for day in _days(layout) if day < as_of]
    return _read(layout, max(earlier)) if earlier else None


def every(layout: Layout) -> list[Past]:
    """All scorings kept, oldest first."""
    return [_read(layout, day) for day in _days(layout)]


def of(layout: Layout, as_of: date) -> Past | None:
    """The scoring kept of a day; None where there is none."""
    return _read(layout, as_of) if as_of in _days(layout) else None


def scorings(kept: list[Past], label: Label) -> list[Scoring]:
    """The scorings that can be judged once matured: those of silence, whose horizon and booking lag were noted; `label`
    gives what was not."""
    return [
        Scoring(
            past.as_of,
            past.scores,
            replace(
                label,
                horizon=Duration.parse(past.meta["horizon"]),
                booking_lag=Duration.parse(past.meta["booking_lag"]),
            ),
            date.fromisoformat(past.meta["known_until"]) if past.meta["known_until"] else None,
        )
        for past in kept
        if past.meta.get("booking_lag") and not past.meta["label"]
    ]


def _days(layout: Layout) -> list[date]:
    return sorted(date.fromisoformat(path.parent.name) for path in layout.history.glob(f"[0-9]*/{META_FILE}"))


def _read(layout: Layout, day: date) -> Past:
    folder: Path = layout.history / str(day)
    return Past(
        day,
        pd.read_parquet(folder / "scores.parquet"),
        pd.read_parquet(folder / "features.parquet").set_index("account_id"),
        json.loads((folder / META_FILE).read_text(encoding="utf-8")),
    )
