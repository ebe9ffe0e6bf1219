"""Classes of existing accounts by contribution and stability, their sizes, and how they move between classes.

The documents (003) class accounts by contribution and stability "from the history of quarterly, monthly and single
transaction volumes" and give no formula. Ours, as at an as_of:

- **contribution**: what the account bought in the last year, net of returns, money. High from a threshold on.
- **stability**: the geometric mean of four parts, each from 0 to 1, so that a part that is next to nothing is not made
  good by the others:

  - `even`, quarterly: 1 / (1 + CV) of its quarterly purchases in the history, CV their standard deviation over the mean;
  - `regular`, monthly: the share of the last year's periods with an order;
  - `spread`, single transactions: 1 - sum of squares of the last year's single orders / square of their sum, 0 where the
    year rests on one order and (n - 1) / n where on n equal ones (Simpson's index);
  - `trend`: its purchases of the last quarter over the mean of up to four quarters before, 1 at most.

  Who bought nothing for a quarter has a trend and a stability of 0, as in the third opening case of 000.
- An account is **too new** before it has `least_history` periods of history (a new one earns only after a year, 001), and
  has **too few** days with an order before `least_order_days` (the third purchase makes the habit, 004): then its
  stability is not known and it has no class. Accounts that bought nothing in the last year are no existing ones.
- **size** by consumption (001): large are the fewest accounts that make 80 % of purchases, medium the next up to 95 %.

The parts were chosen among some fifty measures on simulated markets and two real sources, as those that told losses
best within each half of contribution. `python -m benchmarks.segments`: of EI 1 to 9 % ordered nothing in the next quarter
and of EII 14 to 58 %, of EIII 1 to 33 % and of EIV 28 to 60 %; the AUC of low stability was 0.93 on simulated markets, 0.85
and 0.96 on Iowa's stores, 0.63 on a gift wholesaler whose accounts order too seldom for a year to show it. How uneven
single orders are told nothing (AUC 0.41 to 0.50); orders against an account's own rhythm told less than the share of periods.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import ConfigurationError
from features.periods import Duration, periods_in_year
from models.breaks import natural_break

FloatArray = NDArray[np.float64]
CLASSES = ("EI", "EII", "EIII", "EIV")
SIZES = ("large", "medium", "small")
TOO_NEW, TOO_FEW = "too_new", "too_few"
NEW, GONE, UNCLASSED = "new", "gone", "unclassed"
PARTS = ("even", "regular", "spread", "trend")
BEFORE = 4  # quarters before the last that its purchases are set against


@dataclass(frozen=True)
class Rules:
    """Section `segments` of `params.yaml`, where every figure has its source."""

    contribution: float | None  # money a year from which contribution is high; None: natural breaks of its logarithm
    stability: float | None  # from which stability is high; None: natural breaks of those above 0
    large: float  # share of purchases that large accounts make ...
    medium: float  # ... and large and medium ones together
    history: int  # periods
    least_history: int  # periods
    least_order_days: int


@dataclass(frozen=True)
class Thresholds:
    """From where on contribution (money) and stability are high, and the least contribution of large and medium accounts.

    Class an earlier as_of with the thresholds of today, and what moves is the account, not the threshold.
    """

    contribution: float
    stability: float
    large: float
    medium: float

    @classmethod
    def of(cls, measures: pd.DataFrame, rules: Rules) -> Self:
        """The thresholds of these accounts (`measure`), as far as the rules leave them open.

        Stability breaks among those above 0: else the break parts those that still buy from those that have stopped,
        and who is drifting, and can be turned around, is not told from who is steady.

        Where no account has a contribution above 0, or a stability that is known and above 0, that threshold is infinite:
        nothing is high.
        """
        bought = measures.loc[measures["contribution"] > 0, "contribution"].to_numpy(dtype=np.float64)
        steady = measures.loc[measures["stability"] > 0, "stability"].to_numpy(dtype=np.float64)
        ordered = np.sort(bought)[::-1]
        summed = np.cumsum(ordered)
        large, medium = (
            _least(ordered, summed, share) if len(bought) else math.inf for share in (rules.large, rules.medium)
        )
        high = _high_contribution(bought) if len(bought) else math.inf
        stable = natural_break(steady) if len(steady) else math.inf
        return cls(
            contribution=high if rules.contribution is None else rules.contribution,
            stability=stable if rules.stability is None else rules.stability,
            large=large,
            medium=medium,
        )


def measure(purchases: pd.DataFrame, ever: pd.DataFrame, period: Duration, as_of: date, rules: Rules) -> pd.DataFrame:
    """Contribution and stability at `as_of` of every account that bought or returned something in the year before it.

    `purchases`: `features.purchases.by_period` of at least `rules.history` periods before as_of; `ever`: `over_all_time`
    at the same as_of. Rows ordered by account, columns

    - account_id, contribution (money), history (whole periods since its first order, at most the history's);
    - stability, even, regular, spread, trend: 0 to 1, NaN where not known;
    - not_known: "too_new" or "too_few" where it is not, else null.

    Raises ConfigurationError if the history does not hold a year and a quarter.
    """
    year = periods_in_year(period)
    quarter = max(1, year // 4)
    length = rules.history // quarter * quarter
    if length < year + quarter or rules.least_history < year:
        raise ConfigurationError(
            f"segments.history {rules.history} and least_history {rules.least_history} are too short: a year has {year} "
            f"periods of {period}. Use at least {year + quarter} and {year} in params.yaml."
        )
    accounts = np.sort(purchases.loc[purchases["periods_ago"] <= year, "account_id"].unique())
    wide = {
        name: purchases.pivot(index="account_id", columns="periods_ago", values=name)
        .reindex(index=accounts, columns=range(1, length + 1))
        .fillna(0.0)
        .to_numpy(dtype=np.float64)
        for name in ("amount", "bought", "order_days", "squared")
    }
    whole = ever.set_index("account_id").reindex(accounts)
    starts = np.array([period.before(as_of, step) for step in range(length, 0, -1)], dtype="datetime64[D]")
    first = pd.to_datetime(whole["first_order_on"]).to_numpy(dtype="datetime64[D]")
    history = length - np.searchsorted(starts, first)
    history = np.where(np.isnat(first), 0, history)
    parts = pd.DataFrame(_parts(wide, history, year, quarter))
    few = whole["order_days"].fillna(0).to_numpy() < rules.least_order_days
    new = history < rules.least_history
    parts[new | few] = np.nan
    stability = np.prod(parts.to_numpy() ** (1 / len(PARTS)), axis=1)
    return pd.DataFrame(
        {
            "account_id": accounts,
            "contribution": wide["amount"][:, :year].sum(axis=1),
            "stability": stability,
            **{name: parts[name] for name in PARTS},
            "history": history,
            "not_known": pd.Series(np.select([new, few], [TOO_NEW, TOO_FEW], ""), dtype="str").replace("", None),
        }
    )


def classify(measures: pd.DataFrame, thresholds: Thresholds) -> pd.DataFrame:
    """The measures with `class` (EI to EIV; null where the stability is not known) and `size` (large, medium, small).

    A value at a threshold is above it. A contribution of 0 or less is low and small.
    """
    high = measures["contribution"] >= thresholds.contribution
    stable = measures["stability"] >= thresholds.stability
    known = measures["stability"].notna()
    code = np.select([~known, high & stable, high, stable], ["", *CLASSES[:3]], CLASSES[3])
    large = measures["contribution"] >= thresholds.large
    medium = measures["contribution"] >= thresholds.medium
    return measures.assign(
        **{
            "class": pd.Series(code, index=measures.index, dtype="str").replace("", None),
            "size": pd.Series(np.select([large, medium], SIZES[:2], SIZES[2]), index=measures.index, dtype="str"),
        }
    )


def migration(before: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """How many accounts went from which class to which, with their contributions; both from `classify`.

    Columns class_before, class_now, accounts, amount_before, amount_now (money); only pairs that occur, in the order of
    the classes. Beside the classes: "unclassed", whose stability is not known; "new", not among the accounts before;
    "gone", not among those of now. Class both with one set of thresholds, or the thresholds' move is in it.
    """
    sides = [
        pd.DataFrame(
            {
                f"class_{side}": frame["class"].fillna(UNCLASSED).to_numpy(),
                f"contribution_{side}": frame["contribution"].to_numpy(),
            },
            index=frame["account_id"],
        )
        for side, frame in (("before", before), ("now", now))
    ]
    both = sides[0].join(sides[1], how="outer", sort=True)
    both = both.fillna({"class_before": NEW, "class_now": GONE, "contribution_before": 0.0, "contribution_now": 0.0})
    order = (*CLASSES, UNCLASSED, NEW, GONE)
    found = (
        both.groupby(["class_before", "class_now"])
        .agg(
            accounts=("class_now", "size"),
            amount_before=("contribution_before", "sum"),
            amount_now=("contribution_now", "sum"),
        )
        .reset_index()
    )
    places = {code: place for place, code in enumerate(order)}
    return found.sort_values(["class_before", "class_now"], key=lambda codes: codes.map(places), ignore_index=True)


@dataclass(frozen=True)
class Concentration:
    """`top_share`: the share of purchases that the top 20 % of accounts bring; `accounts_share`: the share of accounts,
    the largest ones, that bring 80 %. The documents (000) expect 0.8 and 0.2."""

    top_share: float
    accounts_share: float


def concentration(amounts: pd.Series[float], top: float = 0.2, most: float = 0.8) -> Concentration:
    """How far few accounts make most of the purchases; `amounts` by account, money, those below 0 counted as nothing.

    Whole accounts are taken: the number nearest above `top` of them, and the fewest that bring `most`. NaN where nothing
    was bought.
    """
    ordered = np.sort(amounts.to_numpy(dtype=np.float64).clip(min=0.0))[::-1]
    summed = np.cumsum(ordered)
    if not len(ordered) or summed[-1] <= 0:
        return Concentration(math.nan, math.nan)
    count = math.ceil(round(top * len(ordered), 9))  # 0.2 x 15 is a little above 3
    return Concentration(float(summed[count - 1] / summed[-1]), float(_fewest(summed, most) / len(ordered)))


def _high_contribution(bought: FloatArray) -> float:
    least = natural_break(np.log(bought))
    return float(bought[np.log(bought) >= least].min())  # exp(log(x)) may be a little above x


def _fewest(summed: FloatArray, share: float) -> int:
    """How many of the largest make the share of the whole; `summed`: their running sums."""
    return int(np.searchsorted(summed, share * summed[-1] * (1 - 1e-12))) + 1


def _least(ordered: FloatArray, summed: FloatArray, share: float) -> float:
    return float(ordered[min(_fewest(summed, share), len(ordered)) - 1])


def _parts(
    wide: Mapping[str, FloatArray], history: NDArray[np.int64], year: int, quarter: int
) -> dict[str, FloatArray]:
    """The parts of stability; `wide`: (accounts, periods), the last period first."""
    accounts, periods = wide["amount"].shape
    quarters = wide["amount"].reshape(accounts, periods // quarter, quarter).sum(axis=2).clip(min=0.0)
    there = np.arange(quarters.shape[1]) < (history // quarter)[:, None]
    bought = wide["bought"][:, :year].sum(axis=1)
    before = _mean(quarters[:, 1 : BEFORE + 1], there[:, 1 : BEFORE + 1])
    mean = _mean(quarters, there)
    deviation = np.sqrt(_mean((quarters - mean[:, None]) ** 2, there))
    return {
        # nothing bought in any quarter: no volume that could be even
        "even": np.where(mean > 0, mean / np.where(mean > 0, mean + deviation, 1.0), 0.0),
        "regular": (wide["order_days"][:, :year] > 0).mean(axis=1),
        "spread": np.where(
            bought > 0, 1 - wide["squared"][:, :year].sum(axis=1) / np.where(bought > 0, bought, 1.0) ** 2, 0.0
        ).clip(0.0, 1.0),
        "trend": np.minimum(
            1.0, np.where(before > 0, quarters[:, 0] / np.where(before > 0, before, 1.0), np.sign(quarters[:, 0]))
        ),
    }


def _mean(values: FloatArray, there: NDArray[np.bool_]) -> FloatArray:
    mean: FloatArray = np.where(there, values, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    return mean
