"""The documented reasons: their taxonomy, the shares of the reasons, those named and their evidence.

Shares come from the model of causes; symptoms and context are never named as a reason. Associated with the loss, not
proven to cause it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

import numpy as np
import pandas as pd
import yaml

from features.catalog import FEATURES
from features.declaration import Feature

TAXONOMY_FILE = Path(__file__).resolve().parent.parent / "reasons.yaml"
NAMED = 3


@dataclass(frozen=True)
class Taxonomy:
    """Codes of the documented reasons in order, and names of all codes by language."""

    version: int
    codes: tuple[str, ...]
    names: Mapping[str, Mapping[str, str]]


@cache
def taxonomy() -> Taxonomy:
    """Read `reasons.yaml`."""
    content: dict[str, Any] = yaml.safe_load(TAXONOMY_FILE.read_text(encoding="utf-8"))
    names = {reason["code"]: reason["names"] for reason in content["reasons"]} | content["others"]
    return Taxonomy(content["version"], tuple(reason["code"] for reason in content["reasons"]), names)


def observable(features: Sequence[str]) -> tuple[str, ...]:
    """The documented reasons that these features are evidence for; the others cannot be seen on this data."""
    seen = {feature.reason for feature in FEATURES if feature.name in set(features)}
    return tuple(code for code in taxonomy().codes if code in seen)


def shares(hazards: pd.DataFrame) -> pd.DataFrame:
    """Share of each documented reason in why an account would be lost: (accounts, reasons and unexplained).

    `hazards` holds a column for each reason that can be seen, in units of what no table shows (`CauseModel.hazards`):
    share = hazard / (1 + sum of all), `share_unexplained` = 1 / (1 + sum of all). They sum to one; a reason that cannot
    be seen is NaN, not 0.
    """
    total = 1 + hazards.sum(axis=1)
    columns = {
        f"share_{code}": hazards[code] / total if code in hazards.columns else np.nan for code in taxonomy().codes
    }
    return pd.DataFrame({**columns, "share_unexplained": 1 / total}, index=hazards.index)


def named(share: pd.DataFrame, min_share: float) -> pd.DataFrame:
    """`reason_1 .. reason_3`: codes by falling share, at least `min_share`; `unexplained` first if there is none."""
    codes = np.array(taxonomy().codes)
    values = share[[f"share_{code}" for code in codes]].to_numpy()
    filled = np.where(np.isnan(values), -1.0, values)
    order = np.argsort(-filled, axis=1, kind="stable")[:, :NAMED]
    large = np.take_along_axis(filled, order, axis=1) >= max(min_share, 1e-12)
    table = codes[order].astype(object)
    table[~large] = None
    table[~large[:, 0], 0] = "unexplained"
    return pd.DataFrame(table, index=share.index, columns=[f"reason_{place}" for place in range(1, NAMED + 1)])


def evidence(frame: pd.DataFrame, contributions: pd.DataFrame, reasons: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """`evidence_1 .. evidence_3`: for each named reason the sentence of its feature that counts most, with its value.

    `frame`: features; `contributions`: what each adds to its reason (`CauseModel.contributions`); `reasons`: output of
    `named`; same rows. A feature without a value is evidence of nothing; where a reason has no other, there is no sentence.
    """
    by_name = {feature.name: feature for feature in FEATURES}
    words = np.full((len(frame), NAMED), None, dtype=object)
    for code in taxonomy().codes:
        own = [name for name in contributions.columns if by_name[name].reason == code]
        if not own:
            continue
        counts = contributions[own].where(frame[own].notna().to_numpy(), -np.inf).to_numpy()
        strongest = np.array(own)[counts.argmax(axis=1)]
        for place in range(1, NAMED + 1):
            rows = np.flatnonzero((reasons[f"reason_{place}"] == code).to_numpy())
            for row in rows[np.isfinite(counts[rows].max(axis=1))]:
                words[row, place - 1] = sentence(by_name[strongest[row]], frame.iloc[row], by_name, as_of)
    return pd.DataFrame(words, index=frame.index, columns=[f"evidence_{place}" for place in range(1, NAMED + 1)])


def sentence(feature: Feature, row: pd.Series[Any], by_name: Mapping[str, Feature], as_of: date) -> str:
    """The feature's sentence with the account's own numbers and dates."""
    wanted = [name for _, name, _, _ in Formatter().parse(feature.sentence) if name]
    values = {name: worded(row[name], by_name[name].unit) for name in wanted if name not in ("value", "since")}
    values["value"] = worded(row[feature.name], feature.unit)
    if "since" in wanted:
        values["since"] = day_before(as_of, row[feature.name])
    return feature.sentence.format(**values)


def day_before(as_of: date, days: float) -> str:
    """The day so many days before: 9 May 2024; "no day" for NaN."""
    if np.isnan(days):
        return "no day"
    day = as_of - timedelta(days=round(days))
    return f"{day.day} {day:%B %Y}"


def worded(value: float, unit: str) -> str:
    """A number as a reader writes it: 12,345 or 47 days or 23 %; "no value" for NaN."""
    if np.isnan(value):
        return "no value"
    if unit == "days":
        return f"{value:,.0f} day{'' if round(value) == 1 else 's'}"
    if unit == "share":
        return f"{value * 100:.0f} %" if value >= 0.1 else f"{value * 100:.1f} %"
    if unit == "ratio":
        return f"{value:.2g}" if abs(value) < 10 else f"{value:,.0f}"
    if unit == "pieces":
        return f"{value:,.0f} pieces"
    return f"{value:,.0f}"
