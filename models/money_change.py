"""What moved the money at risk between two scorings: steps that add up from the one sum to the other.

The money at risk is the sum over active accounts of risk r times the purchases v of twelve months. For an account active
both times the change is

    r1 v1 - r0 v0 = (r1 - r0) (v0 + v1) / 2  +  (v1 - v0) (r0 + r1) / 2

the part of its risk and the part of its purchases (the symmetric split of a product, as in Bennet's indicator, 1920). The
part of the risk is divided by what moved the risk (`models.changes`), where that is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

GONE, NEW, PURCHASES, RISK, UNDIVIDED = "gone", "new", "purchases", "risk", "undivided"


@dataclass(frozen=True)
class Step:
    """One step: its code (`gone`, `new`, `purchases`, `change_<group>` or `undivided`), accounts, and money."""

    code: str
    accounts: int
    money: float


@dataclass(frozen=True)
class MoneyChange:
    """Money at risk `then` and `now`, and the steps from the one to the other: together they are the difference."""

    then: float
    now: float
    steps: tuple[Step, ...]


def money_change(previous: pd.DataFrame, scores: pd.DataFrame, explanations: pd.DataFrame) -> MoneyChange | None:
    """The steps from the scoring `previous` to `scores`; None where nobody was active then.

    `previous` and `scores`: account_id, as_of, lapsed, risk, amount_12 (0 or more).
    `explanations`: account_id, since and change_<group> in points of probability, as stage explain writes them; rows of
    another `since` than the day of `previous` are left out. Steps of the risk are ordered by size.
    """
    then, now = (_active(table) for table in (previous, scores))
    if then.empty:
        return None
    both = then.index.intersection(now.index)
    gone, new = then.index.difference(both), now.index.difference(both)
    before, after = then.loc[both], now.loc[both]
    worth = (before["amount_12"] + after["amount_12"]) / 2
    purchases = ((after["amount_12"] - before["amount_12"]) * (before["risk"] + after["risk"]) / 2).sum()
    moved = (after["risk"] - before["risk"]) * worth
    steps = [
        Step(GONE, len(gone), -float((then["risk"] * then["amount_12"]).loc[gone].sum())),
        Step(NEW, len(new), float((now["risk"] * now["amount_12"]).loc[new].sum())),
        Step(PURCHASES, len(both), float(purchases)),
        *_of_risk(moved, worth, explanations, previous["as_of"].iloc[0]),
    ]
    return MoneyChange(_at_risk(then), _at_risk(now), tuple(steps))


def _active(table: pd.DataFrame) -> pd.DataFrame:
    rows = table.loc[~table["lapsed"].astype(bool), ["account_id", "risk", "amount_12"]]
    return rows.set_index("account_id").astype(float)


def _at_risk(rows: pd.DataFrame) -> float:
    return float((rows["risk"] * rows["amount_12"]).sum())


def _of_risk(moved: pd.Series[float], worth: pd.Series[float], explanations: pd.DataFrame, since: object) -> list[Step]:
    """The part of the risk by what moved it, and what is left undivided."""
    groups = [name for name in explanations.columns if name.startswith("change_")]
    told = explanations[explanations["since"] == since].set_index("account_id") if groups else explanations.head(0)
    known = told.index.intersection(moved.index)
    parts = told.loc[known, groups].mul(worth.loc[known], axis=0) if groups else pd.DataFrame()
    steps = [Step(name, int((parts[name] != 0).sum()), float(parts[name].sum())) for name in groups if len(parts)]
    steps.sort(key=lambda step: (-abs(step.money), step.code))
    left = float(moved.sum()) - sum(step.money for step in steps)
    return [*steps, Step(UNDIVIDED if steps else RISK, len(moved) - len(known), left)]
