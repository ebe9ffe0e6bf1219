"""What each past scoring was worth, once its label has matured, against what was promised when it was made.

The promise of a scoring is what its risks imply if they are right (`models.label_free`): it is worked out again from the
risks that were kept, and so is what was told then. Where the model had been trained on outcomes from the scoring's day on
(`foresight` is False, as `models.hindsight` notes it) a good grade is no feat: it is told, and nothing rests on it.

Precision of names is that of `exits`: of the active accounts that were given one reason, then lost, and whose loss was
recorded with a documented reason from the day of the scoring on, how many had that reason. Exits that someone else than
the manager checked (`audited`) are told apart: what a manager writes is no truth to grade by (`models/exits.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest, norm

from features.declaration import Expression
from features.known import known_at
from features.tables import TABLES
from models import label_free
from models.hindsight import Scoring, outcomes
from models.metrics import METRICS, FloatArray, Metric, ece, measure
from models.taxonomy import taxonomy

GRADED: dict[str, Metric] = {name: METRICS[name] for name in ("auc", "average_precision", "lift_10", "brier", "ece")}
CHECKED, WRITTEN = "audited", "unaudited"


def grade(
    scorings: Sequence[Scoring],
    tables: Mapping[str, Expression],
    until: date,
    certainty: tuple[int, float, int],
    by_chance: float,
) -> tuple[list[dict[str, Any]], list[date]]:
    """Grades of the scorings that have matured by `until`, oldest first, ready for JSON; and the days of the others.

    `certainty`: resamples, level and seed of the intervals. `by_chance`: probability with which chance alone passes the
    limits of calibration. A grade has `as_of`, `matured`, `foresight`, `accounts` (active), `lost`, `expected` with
    `expected_low` and `expected_high` (where chance leaves the losses with probability 1 - `by_chance`), for each of GRADED
    {"value", "low", "high"}, `ece_by_chance` (exceeded with probability `by_chance` if the risks are right), `promised`
    (of GRADED but ece, and of share_lost), and `names` (CHECKED and WRITTEN, as `_names` gives them). Without a loss, or
    without an account that was kept, there is no AUC: None.

    Raises ContractError if a scoring lacks a column.
    """
    grades, pending = [], []
    for scoring in sorted(scorings, key=lambda scoring: scoring.as_of):
        active = outcomes(scoring, tables, until)
        if active is None:
            pending.append(scoring.as_of)
        elif len(active):
            exits = _exits(tables, scoring.as_of, until)
            grades.append(_grade(scoring, active, exits, certainty, by_chance))
    return grades, pending


def _grade(
    scoring: Scoring,
    active: pd.DataFrame,
    exits: pd.DataFrame,
    certainty: tuple[int, float, int],
    by_chance: float,
) -> dict[str, Any]:
    draws, level, seed = certainty
    risk = active["risk"].to_numpy(dtype=float)
    rows = active[["account_id", "risk"]].assign(as_of=scoring.as_of, label=active["lost"])
    everyone = {"active": np.ones(len(rows), dtype=bool)}
    found = measure(rows, everyone, ["risk"], GRADED, draws, level, seed)["population"]["active"]["risk"]["mean"]
    promised = label_free.estimate(risk, draws, level, seed)
    reach = float(norm.ppf(1 - by_chance / 2) * np.sqrt((risk * (1 - risk)).sum()))
    return {
        "as_of": str(scoring.as_of),
        "matured": str(scoring.label.matures(scoring.as_of)),
        "foresight": None if scoring.known_until is None else scoring.known_until <= scoring.as_of,
        "accounts": len(active),
        "lost": int(active["lost"].sum()),
        "expected": float(risk.sum()),
        "expected_low": max(float(risk.sum()) - reach, 0.0),
        "expected_high": min(float(risk.sum()) + reach, float(len(risk))),
        **{name: found[name] for name in GRADED},
        "ece_by_chance": float(np.quantile(_errors(risk, seed), 1 - by_chance)),
        "promised": {name: promised[name] for name in ("auc", "average_precision", "lift_10", "brier", "share_lost")},
        "names": {
            CHECKED: _names(active, exits[exits["audited"]], level),
            WRITTEN: _names(active, exits[~exits["audited"]], level),
        },
    }


def _errors(risk: FloatArray, seed: int, draws: int = 1000) -> FloatArray:
    """Calibration errors of outcomes drawn from the risks themselves: the floor that chance sets, (draws,)."""
    return np.concatenate([ece(counts) for counts in label_free.drawn(risk, draws, seed)])


def _exits(tables: Mapping[str, Expression], since: date, until: date) -> pd.DataFrame:
    """account_id, reason, audited of losses recorded from `since` on and known before `until`: the last of each kind."""
    empty = pd.DataFrame({"account_id": pd.Series(dtype="str"), "reason": pd.Series(dtype="str")})
    if "exits" not in tables or not {"reason", "recorded_on"} <= set(tables["exits"].columns):
        return empty.assign(audited=pd.Series(dtype=bool))
    table = tables["exits"]
    day = table.recorded_on.cast("date")
    rows = table.filter((day >= since) & (day < until) & (known_at(table, TABLES["exits"]) < until))
    columns = [name for name in ("account_id", "reason", "recorded_on", "audited") if name in table.columns]
    found: pd.DataFrame = rows.select(*columns).to_pyarrow().to_pandas()
    checked = found["audited"].fillna(False).astype(bool) if "audited" in found else False
    found = found.assign(audited=checked).sort_values(["recorded_on", "account_id"], kind="stable")
    documented = found[found["reason"].isin(taxonomy().codes)]
    return documented.drop_duplicates(["account_id", "audited"], keep="last")[["account_id", "reason", "audited"]]


def _names(active: pd.DataFrame, exits: pd.DataFrame, level: float) -> dict[str, Any]:
    """ "n": lost accounts that had been given one name and have such an exit, "right": how many had that reason, and their
    share "value" with Wilson's interval "low" to "high", None where there is none."""
    named = active[(active["naming"] == "named").to_numpy(dtype=bool) & (active["lost"] == 1.0).to_numpy(dtype=bool)]
    both = named[["account_id", "reason_1"]].merge(exits, on="account_id")
    right = int((both["reason_1"] == both["reason"]).sum())
    if not len(both):
        return {"n": 0, "right": 0, "value": None, "low": None, "high": None}
    found = binomtest(right, len(both)).proportion_ci(level, method="wilson")
    return {
        "n": len(both),
        "right": right,
        "value": right / len(both),
        "low": float(found.low),
        "high": float(found.high),
    }
