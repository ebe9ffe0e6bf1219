"""Proof on the user's own tables that no feature knows the future, and a look for features too good to be true.

All that was not known at a cut-off is deleted, then changed, with bookings added that came too late; the features are
worked out again and must be the same to the bit. A feature that ranks losses almost perfectly alone is no proof of
anything, but in trade data nothing honest does: rows written because an account was lost do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from features.declaration import Expression, Feature
from features.errors import ContractError
from features.known import known_at
from features.matrix import Plan, build
from features.tables import TABLES, Column

WHO = ("account_id", "manager_id", "product_id")  # whose row it is: changing that would only move it elsewhere
MASTERS = ("accounts", "managers", "products")


@dataclass(frozen=True)
class Suspect:
    """A feature that alone ranks losses at the audited cut-offs with this AUC (0.5 to 1, in its better direction)."""

    feature: str
    reason: str
    auc: float


def audit(
    connection: Any,
    tables: Mapping[str, Expression],
    cutoffs: Sequence[date],
    plan: Plan,
    known_until: date,
    features: Sequence[Feature],
) -> list[Suspect]:
    """Check every feature at every cut-off; returns the features by AUC alone, highest first.

    Raises ContractError with the feature's name at the first value that moves with the future.
    """
    frames = []
    ways = {"deleted": delete_future, "changed": change_future}
    with tqdm(total=len(cutoffs) * (1 + len(ways)), desc="audit", disable=None) as bar:
        for as_of in cutoffs:
            frame = _frame(connection, tables, as_of, plan, known_until, features)
            frames.append(frame)
            bar.update()
            for way, rewrite in ways.items() if len(frame) else ():
                other = _frame(connection, rewrite(tables, as_of), as_of, plan, known_until, features)
                _compare(frame, other, as_of, way, features)
                bar.update()
    return _alone(pd.concat(frames), features)


def delete_future(tables: Mapping[str, Expression], as_of: date) -> dict[str, Expression]:
    """The tables as they were at as_of: rows known later are gone, columns filled in later are empty."""
    result = {}
    for name, table in tables.items():
        known = table.filter(known_at(table, TABLES[name]) < as_of)
        result[name] = known.mutate(
            {
                column.name: ibis.cases((known[column.known_on] < as_of, known[column.name]))
                for column in _filled_later(name, table)
            }
        )
    return result


def change_future(tables: Mapping[str, Expression], as_of: date) -> dict[str, Expression]:
    """The tables with other values in all that was not known at as_of, and with rows added that were booked then."""
    result = {}
    for name, table in tables.items():
        declared = TABLES[name]
        unknown = known_at(table, declared) >= as_of
        later = {column.name: column for column in _filled_later(name, table)}
        changed: dict[str, Expression] = {}
        for column in declared.columns:
            if column.name not in table.columns or column.name in (*WHO, *declared.key, "recorded_at"):
                continue
            values = table[column.name]
            if column.name in later:
                filled = table[column.known_on]
                not_yet = unknown | filled.isnull() | (filled.cast("date") >= as_of)
                changed[column.name] = ibis.cases((not_yet, _later(column, values, as_of)), else_=values)
            elif not column.snapshot:
                changed[column.name] = ibis.cases((unknown, _other(column, values)), else_=values)
        moved = table.mutate(**changed)
        result[name] = moved if name in MASTERS else moved.union(_booked_late(name, table, moved, as_of))
        if name not in MASTERS and "recorded_at" not in table.columns:
            moved = moved.mutate(recorded_at=ibis.null("timestamp"))
            result[name] = moved.union(_booked_late(name, table, moved, as_of))
    return result


def _booked_late(name: str, table: Expression, like: Expression, as_of: date) -> Expression:
    """Copies of the rows of the last three months, as if such things had happened once more and been booked at as_of."""
    declared = TABLES[name]
    known = known_at(table, declared)
    recent = table.filter((known < as_of) & (known >= as_of - timedelta(90)))
    changed: dict[str, Expression] = {"recorded_at": ibis.literal(datetime(as_of.year, as_of.month, as_of.day))}
    for column in declared.columns:
        if column.name not in table.columns or column.name in WHO:
            continue
        if column.name in declared.key and column.kind in ("id", "text"):
            changed[column.name] = recent[column.name] + "-booked-late"
        elif column.kind in ("decimal", "integer"):
            changed[column.name] = _other(column, recent[column.name])
    rows = recent.mutate(**changed)
    return rows.select(*[rows[column].cast(like[column].type()).name(column) for column in like.columns])


def _filled_later(name: str, table: Expression) -> list[Column]:
    return [c for c in TABLES[name].columns if c.known_on and {c.name, c.known_on} <= set(table.columns)]


def _later(column: Column, values: Expression, as_of: date) -> Expression:
    """Another value of a column filled in at as_of or later."""
    if column.kind not in ("date", "time") or column.name != column.known_on:
        return _other(column, values)
    day = ibis.greatest(ibis.coalesce(values.cast("date"), as_of + timedelta(40)), ibis.literal(as_of))
    return (day + ibis.interval(days=13)).cast(values.type())


def _other(column: Column, values: Expression) -> Expression:
    """Another value of the same kind; of a date a later one."""
    if column.kind in ("decimal", "integer"):
        return (ibis.coalesce(values, 0) * 3 + 1).cast(values.type())
    if column.kind == "flag":
        return ~ibis.coalesce(values, False)
    if column.kind in ("date", "time"):
        return (values + ibis.interval(days=13)).cast(values.type())
    if column.allowed:
        return ibis.cases((values == column.allowed[0], column.allowed[-1]), else_=column.allowed[0])
    return ibis.literal("changed")


def _frame(
    connection: Any,
    tables: Mapping[str, Expression],
    as_of: date,
    plan: Plan,
    known_until: date,
    features: Sequence[Feature],
) -> pd.DataFrame:
    parts = list(build(connection, tables, [as_of], plan, known_until, features, progress=False))
    frame: pd.DataFrame = pa.concat_tables(parts).to_pandas()
    return frame.set_index("account_id").sort_index()


def _compare(before: pd.DataFrame, after: pd.DataFrame, as_of: date, way: str, features: Sequence[Feature]) -> None:
    told = f"at {as_of}, after what was not known before that day was {way}"
    if list(before.index) != list(after.index):
        odd = sorted(set(before.index) ^ set(after.index))
        raise ContractError(
            f"{len(odd):,} accounts are eligible or not by what was unknown {told}, for example {odd[0]}. "
            "Check ordered_at and recorded_at of its orders."
        )
    for feature in features:
        own, other = before[feature.name].to_numpy(), after[feature.name].to_numpy()
        moved = np.flatnonzero(~((own == other) | (np.isnan(own) & np.isnan(other))))
        if len(moved):
            first = moved[0]
            raise ContractError(
                f"Feature {feature.name} (features/{feature.theme}.py) knows the future: {len(moved):,} of {len(own):,} "
                f"values moved {told}, for example of account {before.index[first]} from {own[first]:g} to "
                f"{other[first]:g}. Let its facts read only what is known at their own date."
            )


def _alone(frame: pd.DataFrame, features: Sequence[Feature]) -> list[Suspect]:
    """Each feature's AUC alone, mean over the cut-offs with known labels; an empty value is one of its own."""
    suspects = []
    known = frame[frame["label"].notna()]
    for feature in features:
        aucs = []
        for _, rows in known.groupby("as_of"):
            label, values = rows["label"], rows[feature.name]
            if label.nunique() == 2:
                aucs.append(max(_auc(label, values.fillna(low)) for low in (-np.inf, np.inf)))
        if aucs:
            suspects.append(Suspect(feature.name, feature.reason, float(np.mean(aucs))))
    return sorted(suspects, key=lambda suspect: -suspect.auc)


def _auc(label: pd.Series[float], values: pd.Series[float]) -> float:
    ranks = values.rank()  # ranks take infinities; the AUC is the same
    auc = float(roc_auc_score(label, ranks))
    return max(auc, 1 - auc)
