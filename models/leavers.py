"""What would be at risk if a manager left: the risk that the model sees once he is gone. Model-based, not causal.

The features of theme `managers` are built again on tables in which he left some time before the as_of and nobody followed
(`features/leaving.py`); everything else about an account stays as it is. Some time, for accounts go on ordering for a
while: of those whose manager left yesterday hardly more are silent for the whole horizon than of others. So the extra is
what the model says of accounts alike in all but that their manager has left. It may be below zero, for the model also
knows managers under whom accounts fare worse than under none. It leaves out what follows a leaving, such as fewer visits:
`experience` sets beside it what became of accounts whose managers did leave.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from difflib import get_close_matches
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from features import leaving
from features.catalog import DECLARED
from features.declaration import Expression, ratio
from features.errors import ConfigurationError
from features.matrix import Plan, build
from features.periods import Duration
from models.metrics import interval, multiplicities
from models.risk import RiskModel

NOT_CAUSAL = (
    "Model-based: how much riskier accounts would look to the model had their manager left {ago} ago and nobody followed, "
    "all else as it is. It does not prove that his leaving would be the cause."
)
LACKING_MODEL = "model"  # in place of a table: the model knows no feature of managers
MONEY = ("expected_loss", "expected_loss_if_left", "extra")
ACCOUNTS = ("account_id", "manager_id", "lapsed", "risk", "risk_if_left", *MONEY)
SINCE = (0, 31, 92, 365)  # days since a manager left, between which `experience` tells apart
MANAGERS = ("manager_id", "accounts", "lapsed", *MONEY)


@dataclass(frozen=True)
class Leavers:
    """What would be at risk if a manager left, for each of them alone.

    `accounts` (ACCOUNTS): a row for each eligible account and manager who looks after it at present; `extra` is
    expected_loss_if_left less expected_loss, money of twelve months. `managers` (MANAGERS), most extra first: `accounts`
    counts the active ones, whose money alone is added up, `lapsed` the others. `lacking`: the table or table.column
    without which nothing can be told, or LACKING_MODEL; then both are empty. `unattended`: eligible accounts that are in
    neither, for nobody looks after them.
    """

    accounts: pd.DataFrame
    managers: pd.DataFrame
    lacking: str | None
    unattended: int = 0

    def resigned(self, manager_id: str) -> pd.DataFrame:
        """The list of the day he resigns: his accounts as in `accounts`, most extra money first, active before lapsed.

        Raises ConfigurationError if nobody of this name looks after an eligible account.
        """
        rows = self.accounts[self.accounts["manager_id"] == manager_id]
        if rows.empty:
            known = self.managers["manager_id"].tolist()
            if self.lacking is not None:
                hint = f"Without {self.lacking} it is not known who looks after whom"
            else:
                close = get_close_matches(manager_id, known, n=1)
                hint = f"There are {len(known)} managers" + (f"; the closest name is {close[0]!r}" if close else "")
            raise ConfigurationError(
                f"Manager {manager_id!r} looks after no eligible account. {hint}. Give a manager_id of `assignments`."
            )
        return _ordered(rows, ["lapsed", "extra", "account_id"], [True, False, True])


def if_left(
    connection: Any,
    tables: Mapping[str, Expression],
    as_of: date,
    plan: Plan,
    model: RiskModel,
    frame: pd.DataFrame,
    ago: Duration,
) -> Leavers:
    """The risk of each account if its present manager had left so long before `as_of`, and what that means in money.

    `frame`: the eligible accounts at `as_of` with account_id, as_of, lapsed, amount_12 and the model's features, as
    `plan` builds them of `tables`, the contract tables as Ibis tables of `connection`.
    """
    moved = [name for name in model.features if name in leaving.NAMES]
    lack = leaving.lacking(tables) or (None if moved else LACKING_MODEL)
    if lack is not None:
        return Leavers(_empty(ACCOUNTS), _empty(MANAGERS), lack)
    left_on = min(ago.before(as_of), as_of - timedelta(1))
    care = leaving.care(tables, as_of, left_on)
    now = frame.set_index("account_id").sort_index()
    known = pd.Series(model.predict(now), index=now.index)
    parts = [_empty(ACCOUNTS)]
    for leavers in leaving.rounds(care):
        mine = care[care["present"] & care["manager_id"].isin(leavers) & care["account_id"].isin(now.index)]
        if mine.empty:
            continue
        left = _features(connection, leaving.without(tables, leavers, as_of, left_on), as_of, plan, moved)
        then = now.loc[mine["account_id"]].assign(**{name: left.loc[mine["account_id"], name] for name in moved})
        yearly = then["amount_12"].clip(lower=0.0).to_numpy(dtype=float)
        risk, after = known.loc[then.index].to_numpy(), model.predict(then)
        parts.append(
            pd.DataFrame(
                {
                    "account_id": mine["account_id"].to_numpy(),
                    "manager_id": mine["manager_id"].to_numpy(),
                    "lapsed": then["lapsed"].to_numpy(dtype=bool),
                    "risk": risk,
                    "risk_if_left": after,
                    "expected_loss": risk * yearly,
                    "expected_loss_if_left": after * yearly,
                    "extra": (after - risk) * yearly,
                }
            )
        )
    rows = _ordered(pd.concat(parts[1:] or parts), ["manager_id", "account_id"], [True, True])
    return Leavers(rows, _managers(rows), None, int((~now.index.isin(rows["account_id"])).sum()))


def experience(matrix: pd.DataFrame, bootstrap: int, level: float, seed: int) -> list[dict[str, Any]]:
    """What became of active accounts, by how long ago a manager in whose care they were had left.

    `matrix`: rows with label, lapsed and manager_left_since. A record for each stretch of days of SINCE, and a last one,
    whose `above` and `most` are None, for accounts whose manager had not left within a year: `above` and `most` (days),
    `rows` (account and cut-off), `accounts`, and the share lost as `value`, `low`, `high`, by resampling accounts. Empty
    where the matrix knows of no leaving.
    """
    if "manager_left_since" not in matrix:
        return []
    rows = matrix[matrix["label"].notna() & ~matrix["lapsed"].to_numpy(dtype=bool)]
    since, lost = (rows[name].to_numpy(dtype=float) for name in ("manager_left_since", "label"))
    if np.isnan(since).all():
        return []
    account, every = pd.factorize(rows["account_id"], sort=True)
    # In blocks: all accounts by all resamples would not be held.
    draws = partial(multiplicities, len(every), bootstrap, seed)
    told: list[dict[str, Any]] = []
    for above, most in (*pairwise(SINCE), (None, None)):
        chosen = np.isnan(since) if above is None or most is None else (since > above) & (since <= most)
        counts = np.bincount(account[chosen], minlength=len(every)).astype(float)
        losses = np.bincount(account[chosen], lost[chosen], minlength=len(every))
        told.append(
            {"above": above, "most": most, "rows": int(chosen.sum()), "accounts": int((counts > 0).sum())}
            | interval(np.concatenate([ratio(times @ losses, times @ counts) for times in draws()]), level)
        )
    return told


def _features(
    connection: Any, tables: Mapping[str, Expression], as_of: date, plan: Plan, names: list[str]
) -> pd.DataFrame:
    """The features by name at `as_of`, index account_id."""
    chosen = [DECLARED[name] for name in names]
    parts = list(build(connection, tables, [as_of], replace(plan, steps=0), as_of, chosen, progress=False))
    frame: pd.DataFrame = pa.concat_tables(parts).to_pandas()
    return frame.set_index("account_id")


def _managers(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a manager: counts of active and of lapsed accounts, money of the active ones."""
    active = ~rows["lapsed"].to_numpy(dtype=bool)
    counted = rows.assign(accounts=active.astype(int), lapsed=(~active).astype(int))
    counted.loc[~active, list(MONEY)] = 0.0
    summed = counted.groupby("manager_id", as_index=False)[["accounts", "lapsed", *MONEY]].sum()
    return _ordered(summed[list(MANAGERS)], ["extra", "manager_id"], [False, True])


def _ordered(frame: pd.DataFrame, by: list[str], ascending: list[bool]) -> pd.DataFrame:
    return frame.sort_values(by, ascending=ascending, ignore_index=True)


def _empty(columns: tuple[str, ...]) -> pd.DataFrame:
    kinds = {"account_id": "str", "manager_id": "str", "accounts": "int64"}
    kinds["lapsed"] = "int64" if "accounts" in columns else "bool"
    return pd.DataFrame({name: pd.Series(dtype=kinds.get(name, "float64")) for name in columns})
