"""Past scorings, each kept under `artifacts/<source>/history/AS_OF/`: scores, features and the models' hashes."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.files import written
from features.periods import Duration, Label
from models.causes import CauseModel
from models.hindsight import NEEDED, Scoring
from models.lineage import Lineage
from models.risk import RiskModel
from pipeline.artifacts import column_names, read_frame, read_json
from pipeline.frames import write_frame, write_text
from pipeline.layout import Layout

META_FILE = "scoring.json"
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")  # the name of a scoring's folder
GROUP = 100_000  # rows of features that are written together


@dataclass(frozen=True)
class Past:
    """A scoring of before, in `folder`: `meta` with the hashes; scores and features are read when they are asked for."""

    as_of: date
    folder: Path
    meta: dict[str, Any]

    @cached_property
    def scores(self) -> pd.DataFrame:
        """As they were written."""
        return read_frame(self.folder / "scores.parquet")

    @cached_property
    def features(self) -> pd.DataFrame:
        """What the model was given, index account_id."""
        return read_frame(self.folder / "features.parquet").set_index("account_id")

    def judged(self) -> pd.DataFrame:
        """The columns of the scores that it is judged by, as far as it has them; nothing is kept."""
        path = self.folder / "scores.parquet"
        there = column_names(path)
        return read_frame(path, [name for name in NEEDED if name in there])

    def speaks_of(self, model: RiskModel) -> bool:
        """Whether its risks are of the same loss as those of `model`: the same label within the same horizon."""
        return all(self.meta.get(name) == model.meta.get(name) for name in ("label", "horizon"))


def keep(
    layout: Layout,
    scores: pd.DataFrame,
    features: Iterable[pa.Table],
    model: RiskModel,
    why: CauseModel,
    lineage: Lineage,
) -> None:
    """Keep a scoring, whole or not at all; one of the same day before it is replaced.

    `features`: account_id and the model's features, in blocks of accounts.
    """
    heal(layout)
    day = str(scores["as_of"].iloc[0])
    meta = {
        "as_of": day,
        "model": model.content_hash,
        "causes": why.content_hash,
        **{name: model.meta.get(name) for name in ("horizon", "booking_lag", "label", "known_until")},
        "lineage": lineage,
    }
    with written(layout.history / day) as folder:
        write_frame(scores, folder / "scores.parquet", lineage)
        _write(features, folder / "features.parquet")
        write_text(json.dumps(meta, indent=1, sort_keys=True) + "\n", folder / META_FILE)


def heal(layout: Layout) -> None:
    """Bring order into what a scoring that was killed has left: a scoring that it had moved aside comes back."""
    for old in layout.history.glob(".*.old"):
        folder = layout.history / old.name.removeprefix(".").removesuffix(".old")
        if folder.exists():
            shutil.rmtree(old)
        else:
            old.rename(folder)
    for temporary in layout.history.glob(".*.writing"):
        shutil.rmtree(temporary)


def at(layout: Layout, as_of: date) -> Past | None:
    """The scoring kept of a day; None where there is none."""
    return _read(layout, as_of) if as_of in days(layout) else None


def last_before(layout: Layout, as_of: date) -> Past | None:
    """The latest scoring kept of a day before `as_of`; None where there is none."""
    earlier = [day for day in days(layout) if day < as_of]
    return _read(layout, max(earlier)) if earlier else None


def every(layout: Layout) -> list[Past]:
    """All scorings kept, oldest first."""
    return [_read(layout, day) for day in days(layout)]


def scorings(kept: list[Past], label: Label) -> list[Scoring]:
    """The scorings that can be judged once matured: those of silence, whose horizon and booking lag were noted; `label`
    gives what was not."""
    return [
        Scoring(
            past.as_of,
            past.judged,
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


def days(layout: Layout) -> list[date]:
    """The days whose scoring is kept, oldest first. A folder with another name, such as a copy, is none."""
    found = (path.parent.name for path in layout.history.glob(f"[0-9]*/{META_FILE}"))
    return sorted(date.fromisoformat(name) for name in found if DAY.fullmatch(name))


def _read(layout: Layout, day: date) -> Past:
    folder: Path = layout.history / str(day)
    return Past(day, folder, read_json(folder / META_FILE))


def _write(blocks: Iterable[pa.Table], path: Path) -> None:
    groups = _gathered(blocks)
    first = next(groups)
    with pq.ParquetWriter(path, first.schema, write_page_checksum=True) as writer:
        writer.write_table(first)
        for group in groups:
            writer.write_table(group)


def _gathered(blocks: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of GROUP rows or a little more; one at least, if there is a block."""
    held: list[pa.Table] = []
    for block in blocks:
        held.append(block)
        if sum(map(len, held)) >= GROUP:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)
