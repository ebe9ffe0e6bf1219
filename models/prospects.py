"""Who is not yet a customer, by expected contribution and intent (003), and what to do about each.

The expected contribution is the weighted mean of what was judged from 1 to 5: size and strength, management, the reach and
the purchasing power of its own customers, marketing, growth, our advantage (003). A criterion that nobody judged counts
for nothing, and of a prospect with too little judged nothing is said. What a third party says is unreliable (001): such
rows are marked, and a sample of them drawn to be checked before they are trusted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Literal

import numpy as np
import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from features.declaration import Expression
from features.errors import ConfigurationError
from features.known import known_at
from features.tables import TABLES, WEAK_INTENTS
from models.breaks import natural_break
from models.metrics import interval, multiplicities
from models.profit import FloatArray
from models.taxonomy import TAXONOMY_FILE

CRITERIA = (
    *("size_strength", "management_level", "customer_reach", "purchasing_power"),
    *("marketing_level", "growth", "relative_advantage"),
)
CLASSES = ("PI", "PII", "PIII", "PIV")
LACKING = ("criteria", "intent")  # why a prospect has no class: too little judged, intent not known
COLUMNS = (
    *("prospect_id", "name", "region", "source", "score", "judged", "intent", "intent_why", "class", "lacking"),
    *("third_party", "sample"),
)
_TOP = 1 << 64


@dataclass(frozen=True)
class Judging:
    """Section `prospects` of `params.yaml`, where every figure has its source."""

    weights: Mapping[str, float]  # of CRITERIA
    least_judged: float  # share of the weights that must have been judged
    high: float | None  # score from which a contribution is high; None: at the natural break
    sample: float  # share of a third party's rows to be checked
    seed: int


@dataclass(frozen=True)
class Judged:
    """`prospects` (COLUMNS) in the order in which to see to them; `high`: score from which a contribution is high, None
    where no two scores differ. `lacking`: without the table nothing is known, and there are no rows."""

    prospects: pd.DataFrame
    high: float | None
    lacking: str | None = None


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    documents: list[Literal["000", "001", "002", "003", "004"]]
    text: str = Field(min_length=1)


class Strategy(_Entry):
    """What to do about prospects of a class."""

    code: Literal["PI", "PII", "PIII", "PIV"]
    strategy: Literal["win_first", "cultivate", "sign", "leave"]


class Measure(_Entry):
    """What to do against a cause of low intent."""

    code: Literal["unknown_to_them", "switching_cost", "risk", "competitor_stronger"]


class Playbook(BaseModel):
    """Section `prospects` of `reasons.yaml`; texts are English."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    classes: list[Strategy]
    intents: list[Measure]


@cache
def playbook() -> Playbook:
    """Read it from `reasons.yaml`."""
    return playbook_of(yaml.safe_load(TAXONOMY_FILE.read_text(encoding="utf-8")).get("prospects"))


def playbook_of(content: Any) -> Playbook:
    """The section, checked. Raises ConfigurationError if it is not as it must be, or a code is missing or told twice."""
    try:
        book = Playbook.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in ("prospects", *first["loc"]))
        raise ConfigurationError(
            f"reasons.yaml, {where}: {first['msg']}, got {first['input']!r}. Correct it."
        ) from None
    for name, codes, told in (
        ("classes", CLASSES, [entry.code for entry in book.classes]),
        ("intents", WEAK_INTENTS, [entry.code for entry in book.intents]),
    ):
        if sorted(told) != sorted(codes):
            raise ConfigurationError(
                f"reasons.yaml, prospects.{name}: must have each of {', '.join(codes)} once, it has {', '.join(told)}."
            )
    return book


def read(tables: Mapping[str, Expression], as_of: date) -> pd.DataFrame | None:
    """The prospects recorded before `as_of`, ordered by id, with all columns of the contract; None: there is no table.

    A column that the source lacks is empty.
    """
    if "prospects" not in tables:
        return None
    table = tables["prospects"]
    rows = table.filter(known_at(table, TABLES["prospects"]) < as_of).order_by("prospect_id")
    frame: pd.DataFrame = rows.to_pyarrow().to_pandas()
    return frame.reindex(columns=[column.name for column in TABLES["prospects"].columns])


def judge(frame: pd.DataFrame | None, judging: Judging) -> Judged:
    """The class of each prospect of `read`.

    `score`: 1 to 5, null where less than `least_judged` of the weights was judged; `judged`: that share. Without a class
    `lacking` says why. Ordered by class, then score, then id; those without a class come last.
    """
    if frame is None:
        return Judged(pd.DataFrame(columns=list(COLUMNS)), None, "prospects")
    weight = np.array([judging.weights[name] for name in CRITERIA])
    values = frame[list(CRITERIA)].to_numpy(dtype=np.float64, na_value=np.nan)
    share = (~np.isnan(values) @ weight) / weight.sum()
    enough = (share > 0) & (share >= judging.least_judged - 1e-12)
    total = np.nan_to_num(values) @ weight / weight.sum()
    score = np.where(enough, total / np.where(share > 0, share, 1.0), np.nan)
    high = _break(score[enough]) if judging.high is None else judging.high
    intent = frame["intent"].astype(object).where(frame["intent"].notna(), None)
    much = score >= (np.inf if high is None else high)
    strong = (intent == "strong").to_numpy(dtype=bool)
    code = np.where(much, np.where(strong, "PI", "PII"), np.where(strong, "PIII", "PIV")).astype(object)
    lacking = np.where(~enough, "criteria", np.where(intent.isna().to_numpy(dtype=bool), "intent", "")).astype(object)
    if high is None:  # nothing tells high from low
        lacking[lacking == ""] = "criteria"
    code[lacking != ""] = None
    lacking[lacking == ""] = None
    flag = frame["third_party"].astype("boolean")
    third = flag | (frame["source"] == "third_party").fillna(False).astype("boolean")
    drawn = np.array([_drawn(name, judging) for name in frame["prospect_id"]], dtype=bool)
    result = frame[["prospect_id", "name", "region", "source"]].assign(
        score=score, judged=share, intent=intent, intent_why=frame["intent_why"]
    )
    result["class"], result["lacking"], result["third_party"] = code, lacking, third
    result["sample"] = third.fillna(False).to_numpy(dtype=bool) & drawn
    turn = result["class"].map({name: place for place, name in enumerate(CLASSES)}).fillna(len(CLASSES))
    result = result.assign(turn_=turn).sort_values(["turn_", "score", "prospect_id"], ascending=[True, False, True])
    return Judged(result[list(COLUMNS)].reset_index(drop=True), high)


def _break(score: FloatArray) -> float | None:
    """The score from which on it is high; None unless two differ."""
    return natural_break(score) if len(np.unique(score)) > 1 else None


def reliability(judged: pd.DataFrame, bootstrap: int, level: float, seed: int) -> dict[str, Any] | None:
    """How far a third party's score is from our own of the same prospect: those of one name and region judged by both.

    Returns `pairs`, and with intervals `bias` (third party's less ours) and `distance` (absolute), in points of the
    score. None where nobody was judged by both, as the contract has a row for each prospect.
    """
    rows = judged[judged["score"].notna() & judged["name"].notna() & judged["third_party"].notna()]
    who = rows["name"].str.casefold().str.strip() + "\n" + rows["region"].fillna("").str.casefold()
    third = rows["third_party"].to_numpy(dtype=bool)
    means = [rows["score"][side].groupby(who[side]).mean() for side in (third, ~third)]
    gap = (means[0] - means[1]).dropna().sort_index().to_numpy(dtype=float)
    if not len(gap):
        return None
    times = np.concatenate(list(multiplicities(len(gap), bootstrap, seed)))
    return {
        "pairs": len(gap),
        "bias": interval(times @ gap / len(gap), level),
        "distance": interval(times @ np.abs(gap) / len(gap), level),
    }


def _drawn(name: str, judging: Judging) -> bool:
    """Whether it is in the sample: by its own id alone, so that rows added later change nobody's lot."""
    digest = hashlib.sha256(f"{judging.seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < judging.sample * _TOP
