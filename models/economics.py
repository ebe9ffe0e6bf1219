"""What the documents claim of the money in accounts, beside what this company's own data say of it.

Every figure comes with an interval by resampling accounts, or with the code of why it cannot be seen. Income over T years
with fewer losses: if each year the accounts that go take the share l of the purchases with them, today's accounts bring

    V (1 + (1 - l) + ... + (1 - l)^(T - 1))

in T years, V being their purchases of a year (geometric retention; no discount, no growth, no new accounts). The change is
that sum at a lower l over that at the present one, less 1. "5 % fewer losses" may mean 0.95 l or l - 0.05: both are told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from features.declaration import Expression, ratio
from models import money_tables
from models.approaches import Approaches
from models.campaign import Economics
from models.claims import CANNOT, CLAIMS
from models.metrics import interval, multiplicities
from models.profit import FloatArray

LARGE = 0.2  # the largest part of the accounts (000)


@dataclass(frozen=True)
class Winning:
    """Section `economics` of `params.yaml`, where every figure has its source."""

    cost_of_winning: float | None  # money an account; None: not known
    years: int  # over which income with fewer losses is reckoned
    payback_months: int  # for which new accounts are followed
    least: int  # accounts without which no figure is told


@dataclass(frozen=True)
class Own:
    """What is measured: `of` gives the figure under weights of the accounts, (B, n) to (B,); `n` accounts.

    `basis`: a code of what it was measured on.
    """

    basis: str
    n: int
    of: Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Given:
    """What the figures are worked out from. `matrix`: account_id, as_of, lapsed, amount_12; `restoring`: the frame of
    `models.win_back.win_back`, None where it was not made."""

    tables: Mapping[str, Expression]
    matrix: pd.DataFrame
    as_of: date
    approaches: Approaches
    restoring: pd.DataFrame | None
    money: Economics
    winning: Winning


def compare(given: Given, bootstrap: int, level: float, seed: int) -> list[dict[str, Any]]:
    """A record for each claim, in their order, ready for JSON.

    `code`, `documents`, `unit`, `claim` (English), `documented` -> `low`, `high`; `own` -> `value`, `low`, `high`, `n` with
    `basis` (what it was measured on) and `measured` (English, with placeholders); or `own` null with `why` (a code) and
    `cannot` (English). `years`: those of income with fewer losses.
    """
    measures = _measures(given)
    records: list[dict[str, Any]] = []
    for claim in CLAIMS:
        found = measures[claim.code]
        own: dict[str, Any] | None = None
        if isinstance(found, Own) and found.n < given.winning.least:
            found = "too_few"
        if isinstance(found, Own):
            blocks = [found.of(times) for times in multiplicities(found.n, bootstrap, seed)]
            own = interval(np.concatenate(blocks), level) | {"n": found.n}
            if own["value"] is None:
                own, found = None, "not_reached" if claim.code == "payback" else "too_few"
        told = isinstance(found, Own)
        records.append(
            {
                "code": claim.code,
                "documents": list(claim.documents),
                "unit": claim.unit,
                "claim": claim.text,
                "documented": {"low": claim.low, "high": claim.high},
                "own": own,
                "basis": found.basis if isinstance(found, Own) else None,
                "measured": claim.measured if told else None,
                "why": None if isinstance(found, Own) else found,
                "cannot": None if isinstance(found, Own) else CANNOT[found],
                "years": given.winning.years if claim.code.startswith("fewer_losses") else None,
            }
        )
    return records


def _measures(given: Given) -> dict[str, Own | str]:
    """By claim what to measure, or the code of why it cannot be seen."""
    bought = money_tables.purchases(given.tables, given.as_of)
    loss = _losses(given.matrix, given.as_of)
    return {
        "cost_of_winning": _cost_of_winning(given, bought),
        "payback": _payback(given),
        "new_order": _new_order(given),
        "former_order": _former_order(given.approaches),
        "restoring": _restoring(given.restoring),
        **{
            f"fewer_losses_{cut}{'_points' if points else ''}": _fewer(loss, cut / 100, points, given.winning.years)
            for cut in (5, 10)
            for points in (False, True)
        },
        "concentration": _concentration(bought),
        "small_margin": _small_margin(bought),
        "guarantees": "survey",
        "word_of_mouth": "referrals",
    }


def income_change(loss: FloatArray, cut: float, points: bool, years: int) -> FloatArray:
    """Change of income over so many years if the yearly share `loss` (0 to 1) fell by the part `cut`, or by `cut` itself."""
    less = np.maximum(loss - cut, 0.0) if points else loss * (1 - cut)
    powers = np.arange(years)
    now, then = (((1 - share)[..., None] ** powers).sum(axis=-1) for share in (loss, less))
    change: FloatArray = then / now - 1
    return change


def _losses(matrix: pd.DataFrame, as_of: date) -> tuple[FloatArray, FloatArray, float] | None:
    """Purchases of the accounts active a year ago, which of them are gone since (1 or 0), and the years between."""
    cutoffs = sorted(day for day in set(matrix["as_of"]) if day <= as_of)
    earlier = [day for day in cutoffs if money_tables.YEAR.after(day) <= cutoffs[-1]]
    if not earlier:
        return None
    active = matrix[~matrix["lapsed"].to_numpy(dtype=bool)]
    then = active[active["as_of"] == earlier[-1]].sort_values("account_id")
    gone = ~then["account_id"].isin(active.loc[active["as_of"] == cutoffs[-1], "account_id"])
    amount = then["amount_12"].clip(lower=0.0).to_numpy(dtype=float)
    return amount, gone.to_numpy(dtype=float), (cutoffs[-1] - earlier[-1]).days / 365.25


def _fewer(losses: tuple[FloatArray, FloatArray, float] | None, cut: float, points: bool, years: int) -> Own | str:
    if losses is None:
        return "too_short"
    amount, gone, between = losses

    def change(times: FloatArray) -> FloatArray:
        share = ratio(times @ (amount * gone), times @ amount)
        return income_change(1 - (1 - share) ** (1 / between), cut, points, years)

    return Own("accounts_of_a_year_ago", len(amount), change)


def _concentration(bought: pd.DataFrame) -> Own:
    amount = np.sort(bought.loc[bought["amount"] > 0, "amount"].to_numpy(dtype=float))[::-1]

    def share(times: FloatArray) -> FloatArray:
        return ratio((times * _large(times)) @ amount, times @ amount)

    return Own("purchases", len(amount), share)


def _small_margin(bought: pd.DataFrame) -> Own | str:
    if "margin" not in bought or bought["margin"].isna().all():
        return "no_margin"
    rows = bought[(bought["amount"] > 0) & bought["margin"].notna()].sort_values("amount", ascending=False)
    amount, margin = (rows[name].to_numpy(dtype=float) for name in ("with_margin", "margin"))

    def above(times: FloatArray) -> FloatArray:
        large = times * _large(times)
        small = times - large
        return 100 * (ratio(small @ margin, small @ amount) - ratio(large @ margin, large @ amount))

    return Own("margins", len(rows), above)


def _large(times: FloatArray) -> FloatArray:
    """Which part of each account, largest first, lies within the largest fifth: (B, n), 0 to 1."""
    ends = times.cumsum(axis=1)
    limit = LARGE * ends[:, -1:]
    return np.nan_to_num(ratio(np.clip(limit - (ends - times), 0.0, times), times))  # one not drawn is not there


def _former_order(own: Approaches) -> Own | str:
    if not own.trials:
        return "no_lapsed"
    account, every = pd.factorize(own.rows["account_id"], sort=True)
    ordered = own.rows["ordered"].to_numpy(dtype=float)

    def share(times: FloatArray) -> FloatArray:
        weight = times[:, account]
        return ratio(weight @ ordered, weight.sum(axis=1))

    return Own("approaches" if own.approached else "lapsed_accounts", len(every), share)


def _restoring(restoring: pd.DataFrame | None) -> Own | str:
    if restoring is None or restoring.empty:
        return "no_lapsed"
    costs = (restoring["profit"] <= 0).to_numpy(dtype=float)
    return Own("model", len(costs), lambda times: ratio(times @ costs, times.sum(axis=1)))


def _new_order(given: Given) -> Own | str:
    ordered = money_tables.prospects_who_ordered(given.tables, given.as_of)
    if ordered is None:
        return "no_link"
    return Own("prospects", len(ordered), lambda times: ratio(times @ ordered, times.sum(axis=1)))


def _cost_of_winning(given: Given, bought: pd.DataFrame) -> Own | str:
    cost, contact = given.winning.cost_of_winning, given.money.contact_cost
    if cost is None:
        return "cost_unknown"
    if contact is None:
        return "contact_cost_unknown"
    contacts = money_tables.contacts_of_a_year(given.tables, given.as_of)
    if contacts is None:
        return "no_contacts"
    buyers = bought.loc[bought["amount"] > 0, "account_id"]
    kept = contact * contacts.reindex(buyers, fill_value=0.0).to_numpy(dtype=float)
    return Own("contacts", len(kept), lambda times: ratio(cost * times.sum(axis=1), times @ kept))


def _payback(given: Given) -> Own | str:
    cost, months = given.winning.cost_of_winning, given.winning.payback_months
    if cost is None:
        return "cost_unknown"
    earned = money_tables.earned_by_month(given.tables, given.as_of, months, given.money.margin)
    if earned is None:
        return "too_short"
    total = earned.to_numpy(dtype=float).cumsum(axis=1)

    def month(times: FloatArray) -> FloatArray:
        reached = times @ total >= cost * times.sum(axis=1, keepdims=True)
        return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.nan)

    return Own("margins" if money_tables.has_margin(given.tables) else "assumed_margin", len(total), month)
