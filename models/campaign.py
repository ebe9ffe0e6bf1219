"""What contacting accounts would have earned at past cut-offs, and whom to contact now.

Whom to contact is chosen by what is known at the cut-off: along a ranking, as many as the expected profit is largest
for. What it earned is reckoned from what happened afterwards. Every interval comes from resampling accounts and drawing
the chance of keeping one, both at once: the chance is the same at all cut-offs and for all rankings of a resample, so
that differences are paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from models.metrics import interval, multiplicities, require_numbers
from models.profit import (
    Curve,
    FloatArray,
    Terms,
    contact_profit,
    curve,
    expected_maximum,
    per_contact,
    ranking,
)

RANKINGS = ("contact_profit", "risk", "value")
SHARES = np.linspace(0.0, 1.0, 101) ** 2  # of the active accounts, at which profit is told: few are worth it

Cell = dict[str, float | None]


@dataclass(frozen=True)
class Economics:
    """Section `money` of `params.yaml`, where every figure has its source."""

    margin: float  # part of purchases
    contact_cost: float | None  # money a contact; None: contact_share of the mean value of the active accounts
    contact_share: float
    incentive: float
    incentive_share: float
    kept: float  # mean of Beta(alpha, beta)
    kept_accounts: float  # alpha + beta

    def value(self, yearly: ArrayLike) -> FloatArray:
        """Money earned in a year with an account that buys for `yearly`, never below 0: margin x purchases."""
        return self.margin * np.asarray(yearly, float).clip(min=0.0)

    def terms(self, value: ArrayLike) -> Terms:
        """The terms of a campaign among active accounts of these values; with the money of a contact worked out."""
        worth = np.asarray(value, float)
        usual = self.contact_share * float(worth.mean()) if len(worth) else 0.0
        return Terms(
            usual if self.contact_cost is None else self.contact_cost,
            self.incentive,
            self.incentive_share,
            self.kept * self.kept_accounts,
            (1 - self.kept) * self.kept_accounts,
        )


def plan(
    risk: ArrayLike, value: ArrayLike, terms: Terms, bootstrap: int, level: float, seed: int
) -> dict[str, float | Cell]:
    """Whom to contact among accounts whose future is not known: those with an expected profit above 0.

    Returns `accounts`, `contact_cost` (money), and with intervals `contacts` (how many) and `profit` (money, expected).
    In a resample `contacts` is the best number at its own chance of keeping an account; `profit` is that of
    contacting those chosen at the mean chance.
    """
    slope, intercept = per_contact(risk, value, terms)
    chosen = slope * terms.chance + intercept > 0
    chances = _chances(terms, bootstrap, seed)
    contacts, profit = np.zeros(1 + bootstrap), np.zeros(1 + bootstrap)
    done = 0
    for times in multiplicities(len(slope), bootstrap, seed) if len(slope) else ():
        block = slice(done, done := done + len(times))
        at = chances[block, None] * slope + intercept
        contacts[block] = np.where(at > 0, times, 0.0).sum(axis=1)
        profit[block] = (times * at)[:, chosen].sum(axis=1)
    return {
        "accounts": len(slope),
        "contact_cost": terms.contact,
        "contacts": interval(contacts, level),
        "profit": interval(profit, level),
    }


def measure(
    predictions: pd.DataFrame, models: Sequence[str], economics: Economics, bootstrap: int, level: float, seed: int
) -> dict[str, Any]:
    """What contacting active accounts would have earned; means over the cut-offs, ready for JSON.

    `predictions` as in `metrics.evaluate`, with `value`: purchases of the twelve months before the cut-off. The first of
    `models` is the risk. {} where no account was active; else, money a cut-off unless told otherwise,

    - `cutoffs`, `accounts` (active ones a cut-off), `value` (mean of an account), `contact_cost`;
    - `emp` -> model -> {"value", "low", "high"}: expected maximum profit an account (`profit.expected_maximum_profit`),
      and `emp_paired` -> other model -> the first one's less the other's;
    - `rankings` -> contact_profit, risk, value -> `contacts` (how many the expected profit was largest for), `promised`
      (that profit), `profit` (what it came to), `hindsight` (at the best number, had it been known); equals in risk are
      ranked by value, and the other way round;
    - `paired` -> risk, value -> the profit of the ranking by expected profit less that of the other;
    - `perfect`: the profit had one known who would be lost;
    - `curve` -> `share` of accounts contacted, and the profit there by ranking, `low` and `high` for contact_profit.

    Raises ContractError for a missing column or one without finite numbers.
    """
    require_numbers(predictions, ["label", "value", *models])
    active = predictions[~predictions["lapsed"].to_numpy(bool)]
    if active.empty:
        return {}
    account, accounts = pd.factorize(active["account_id"])
    days = pd.to_datetime(active["as_of"])
    fields = [
        _Field.of(active[at], account[at], models, economics)
        for at in ((days == day).to_numpy() for day in sorted(days.unique()))
    ]
    chances = _chances(fields[0].terms, bootstrap, seed)
    blocks: list[dict[tuple[str, ...], FloatArray]] = []
    done = 0
    for times in multiplicities(len(accounts), bootstrap, seed):
        drawn = chances[done : (done := done + len(times))]
        parts = [field.measure(times, drawn) for field in fields]
        blocks.append({key: np.mean([part[key] for part in parts], axis=0) for key in parts[0]})
    series = {key: np.concatenate([block[key] for block in blocks]) for key in blocks[0]}
    for model in models:  # the point is exact, not at the mean of gamma
        series["emp", model][0] = np.mean([field.emp(model) for field in fields])

    def cell(*key: str) -> Cell:
        return interval(series[key], level)

    first, *others = models
    best, *rivals = RANKINGS
    earned = series["curve", best]
    return {
        "cutoffs": len(fields),
        "accounts": len(active) / len(fields),
        "value": float(np.mean([field.mean_value for field in fields])),
        "contact_cost": float(np.mean([field.terms.contact for field in fields])),
        "emp": {model: cell("emp", model) for model in models},
        "emp_paired": {other: interval(series["emp", first] - series["emp", other], level) for other in others},
        "rankings": {
            name: {part: cell(part, name) for part in ("contacts", "promised", "profit", "hindsight")}
            for name in RANKINGS
        },
        "paired": {other: interval(series["profit", best] - series["profit", other], level) for other in rivals},
        "perfect": cell("perfect"),
        "curve": {
            "share": SHARES.round(6).tolist(),
            **{name: series["curve", name][0].tolist() for name in RANKINGS},
            "low": np.quantile(earned[1:], (1 - level) / 2, axis=0).tolist(),
            "high": np.quantile(earned[1:], (1 + level) / 2, axis=0).tolist(),
        },
    }


def values_of(money: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """The plain values of what `measure` found, by population, under the names that they are tracked by."""
    return {
        f"{population}.money.{part}.{name}": cells[name]["value"]
        for population, found in money.items()
        for part, cells in _tables(found).items()
        for name in cells
    }


def _tables(found: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    if not found:
        return {}
    return {"emp": found["emp"], **found["rankings"]}


@dataclass(frozen=True)
class _Field:
    """The active accounts at one cut-off: what was expected, what happened, and the rankings."""

    account: NDArray[np.intp]  # (n,) which of all accounts
    terms: Terms
    mean_value: float
    expected: tuple[FloatArray, FloatArray]  # lines of `per_contact`, by the risk
    happened: tuple[FloatArray, FloatArray]  # ... and by the label
    alike: tuple[FloatArray, FloatArray]  # ... by the label, were all of the mean value
    places: Mapping[str, NDArray[np.intp]]  # by ranking
    models: Mapping[str, NDArray[np.intp]]  # by model

    @classmethod
    def of(cls, rows: pd.DataFrame, account: NDArray[np.intp], models: Sequence[str], economics: Economics) -> _Field:
        label, risk = (rows[column].to_numpy(float) for column in ("label", models[0]))
        value = economics.value(rows["value"].to_numpy(float))
        terms = economics.terms(value)
        mean = float(value.mean())
        return cls(
            account,
            terms,
            mean,
            per_contact(risk, value, terms),
            per_contact(label, value, terms),
            per_contact(label, np.full(len(rows), mean), terms),
            {
                "contact_profit": ranking(contact_profit(risk, value, terms)),
                "risk": ranking(risk, value),
                "value": ranking(value, risk),
            },
            {model: ranking(rows[model].to_numpy(float)) for model in models},
        )

    def measure(self, times: FloatArray, chances: FloatArray) -> dict[tuple[str, ...], FloatArray]:
        """By what is measured, (B,), or (B, shares) for the curves; `times` (B, all accounts), `chances` (B,)."""
        weight = times[:, self.account]
        found: dict[tuple[str, ...], FloatArray] = {}
        for name, place in self.places.items():
            hoped, happened = curve(place, self.expected, weight), curve(place, self.happened, weight)
            number = hoped.profit(self.terms.chance).argmax(axis=1)[:, None]
            earned = happened.profit(chances)
            for part, along in (
                ("contacts", happened.contacts),
                ("promised", hoped.profit(chances)),
                ("profit", earned),
            ):
                found[part, name] = np.take_along_axis(along, number, axis=1)[:, 0]
            found["hindsight", name] = earned.max(axis=1)
            found["curve", name] = _at_shares(happened, earned)
        for model, place in self.models.items():
            best = curve(place, self.alike, weight).profit(chances).max(axis=1)
            found["emp", model] = best / weight.sum(axis=1).clip(min=1.0)
        slope, intercept = self.happened
        worth = slope * self.terms.chance + intercept > 0
        found["perfect",] = (weight * (chances[:, None] * slope + intercept))[:, worth].sum(axis=1)
        return found

    def emp(self, model: str) -> float:
        """Expected maximum profit an account, of all accounts once."""
        points = curve(self.models[model], self.alike)
        return expected_maximum(points.slope[0], points.intercept[0], self.terms.alpha, self.terms.beta) / len(
            self.account
        )


def _chances(terms: Terms, bootstrap: int, seed: int) -> FloatArray:
    """The chance of keeping an account: its mean first, then one drawn for each resample."""
    drawn = np.random.default_rng([seed, 1]).beta(terms.alpha, terms.beta, bootstrap)
    return np.concatenate([[terms.chance], drawn])


def _at_shares(points: Curve, profit: FloatArray) -> FloatArray:
    """(B, shares) profit where these shares of the accounts are contacted; among equals, in random order."""
    whole = points.contacts[:, -1:].clip(min=1.0)
    return np.stack([np.interp(SHARES, *line) for line in zip(points.contacts / whole, profit, strict=True)])
