"""How often the reasons are right: on markets in which the true reason of every loss is known.

Of accounts still buying at one of four test cut-offs a quarter apart that then stop, the reason with the largest share is
set against the reason they truly left for. Models have learned only from labels matured before the first test cut-off,
never from a true reason, except where audited exits are given. `holdfast reasons --benchmark` runs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from benchmarks.markets import Simulated, simulated
from benchmarks.reason_rivals import ALL, CODES, most_common, of_positive, told, z_scores
from market.scenarios import SCENARIOS
from models import competing, exits
from models.attribution import contributions, grouped
from models.causes import CauseModel, CauseRecipe
from models.metrics import ece, tally
from models.naming import least_share, name
from models.shares import UNEXPLAINED
from models.stability import Placebo, placebo_share, top_changes
from pipeline.frames import label_of
from pipeline.params import Params
from pipeline.train import fit_at, fit_causes

FloatArray = npt.NDArray[np.float64]
SIX = CODES[:6]
AMONG = {"rel7": (*SIX, "natural_end"), "rel6": SIX, "rel8": CODES}
QUARTER = 3  # periods between test cut-offs
TESTS = 4
AUDITED = 100
RESAMPLES = 200
LEVEL = 0.95
OURS = "Holdfast"
TOLD = "told every true reason"
TAUGHT = f"Holdfast, {AUDITED} audited exits"
WRITTEN = f"Holdfast, {AUDITED} audited exits and the unaudited ones"
EVERY = "Holdfast, every recorded exit audited"


@dataclass(frozen=True)
class Market:
    """What was measured on one market: true reasons and hazards of the `losses`, `share_<code>` of them by method, how
    often the largest changes at retraining, and the share that a placebo gets by reason. `learned`: by each of our own
    methods what the shares would be by what was learned alone."""

    scenario: str
    seed: int
    losses: pd.DataFrame
    methods: Mapping[str, pd.DataFrame]
    learned: Mapping[str, pd.DataFrame]
    stability: Mapping[str, float]
    placebo: Mapping[str, Placebo]


def run(
    seeds: Sequence[int],
    scenarios: Sequence[str],
    accounts: int,
    periods: int,
    params: Params,
    jobs: int,
    own_only: bool = False,
) -> list[Market]:
    """Measure every scenario under every seed, several at a time; `own_only`: nothing but our own shares."""
    markets = [(scenario, seed) for seed in seeds for scenario in scenarios]
    tasks = (
        delayed(measure)(scenario, seed, None if own_only else CODES[number % len(CODES)], accounts, periods, params)
        for number, (scenario, seed) in enumerate(markets)
    )
    done = Parallel(n_jobs=jobs, return_as="generator")(tasks)
    return list(tqdm(done, total=len(markets), desc="markets", disable=None))


def measure(scenario: str, seed: int, placebo: str | None, accounts: int, periods: int, params: Params) -> Market:
    """Simulate one market, train as `holdfast train` does, and give each method's shares of the reasons of its losses.

    `placebo`: the reason whose evidence is swapped among accounts to see what share it still gets; None: nothing but
    our own shares is measured.
    """
    market = simulated(SCENARIOS[scenario], accounts, periods, seed, params)
    period, label = params.featurize.period, label_of(params.featurize)
    tests = sorted(period.before(market.cutoffs[-1], QUARTER * back) for back in range(TESTS))
    recipe = CauseRecipe(**params.reasons.model_dump())
    matrix, features = market.matrix, list(market.features)

    def known_at(day: date) -> pd.DataFrame:
        return matrix[[label.matures(as_of) <= day for as_of in matrix["as_of"]]]

    def causes_at(day: date) -> CauseModel:
        return fit_causes(known_at(day), features, params.featurize, params.train, params.reasons, progress=False)

    known, why = known_at(tests[0]), causes_at(tests[0])
    losses = true_losses(market, tests)
    truth = losses[["account_id", "as_of", "reason", *(f"hazard_{code}" for code in ALL)]]
    judged = _judged(why, market, losses)
    share, learned = _by_loss(why, judged, losses)
    if placebo is None:
        return Market(scenario, seed, truth, {OURS: share}, {OURS: learned}, {}, {})

    month_before, _ = _by_loss(causes_at(period.before(tests[0], 1)), judged, losses)
    taught = {
        method: _by_loss(model, judged, losses)
        for method, model in _taught(why, market, known, tests[0], params, seed).items()
    }
    shap = grouped(contributions(fit_at(known, tests[0], params.featurize, params.train), losses)[0])
    methods = {
        "most common reason": most_common(known_reasons(market, tests[0]), losses.index),
        TOLD: told(_past(why, market, known), judged, features, seed).reindex(losses.index),
        "largest z-score": z_scores(losses, known[known["as_of"] == max(known["as_of"])]),
        "SHAP of the risk model by reason": of_positive(shap),
        OURS: share,
        **{method: both[0] for method, both in taught.items()},
    }
    got = placebo_share(
        matrix,
        competing.ahead(known, period, recipe.lead),
        judged.drop(columns="loss").drop_duplicates(["account_id", "as_of"]),
        features,
        recipe,
        placebo,
    )
    alone = {OURS: learned, **{method: both[1] for method, both in taught.items()}}
    return Market(scenario, seed, truth, methods, alone, top_changes(month_before, share), {placebo: got})


def true_losses(market: Simulated, tests: Sequence[date]) -> pd.DataFrame:
    """Matrix rows of accounts still buying at a test cut-off that stop for good then, with `reason` and true hazards."""
    truth = market.truth
    hazards = [column for column in truth.columns if column.startswith("hazard_")]
    decided = truth[truth["decided"] == truth["period"]].set_index("account_id")[hazards]
    lost = truth[truth["lost"]].set_index("account_id")[["reason", "period"]].join(decided, how="inner")
    rows = market.matrix[market.matrix["as_of"].isin(tests) & (market.matrix["label"] == 1) & ~market.matrix["lapsed"]]
    rows = rows.join(lost, on="account_id", how="inner")
    day = pd.to_datetime(rows["as_of"])
    near = (rows["period"] >= day - pd.DateOffset(months=4)) & (rows["period"] < day + pd.DateOffset(months=3))
    return rows[near].reset_index(drop=True)


def known_reasons(market: Simulated, before: date) -> pd.Series[str]:
    """True reasons of the losses before a day."""
    truth = market.truth
    return truth.loc[truth["lost"] & (truth["period"] < pd.Timestamp(before)), "reason"]


def _judged(why: CauseModel, market: Simulated, losses: pd.DataFrame) -> pd.DataFrame:
    """The rows each loss is judged by, as `holdfast score` takes them, with the `loss`' number."""
    periods = {
        day: [market.cutoffs[market.cutoffs.index(day) - back] for back in range(why.recipe.lags + 1)]
        for day in set(losses["as_of"])
    }
    wanted = losses[["account_id", "as_of"]].assign(loss=losses.index)
    wanted["as_of"] = wanted["as_of"].map(periods)
    return market.matrix.merge(wanted.explode("as_of"), on=["account_id", "as_of"])


def _past(why: CauseModel, market: Simulated, known: pd.DataFrame) -> pd.DataFrame:
    """The rows that each loss of the past would have been judged by, with its true `reason`."""
    days = [day for day in set(known["as_of"]) if market.cutoffs.index(day) >= why.recipe.lags]
    losses = true_losses(market, days)
    rows = _judged(why, market, losses)
    return rows.assign(reason=rows["loss"].map(losses["reason"])).drop_duplicates(["account_id", "as_of"])


def _by_loss(why: CauseModel, judged: pd.DataFrame, losses: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The shares of each loss, and those by what was learned alone."""
    share, learned = why.shares_and_learned(judged.assign(account_id=judged["loss"]))
    return share.reindex(losses.index), learned.reindex(losses.index)


def _taught(
    why: CauseModel, market: Simulated, known: pd.DataFrame, day: date, params: Params, seed: int
) -> Mapping[str, CauseModel]:
    """The model with what exits before `day` teach: of those in the market's table 100 audited ones drawn anew, which
    tell the true reason; the same with what managers wrote of all others; all of them audited, the most that exits can teach."""
    table = market.exits[pd.to_datetime(market.exits["recorded_at"]) < pd.Timestamp(day)]
    table = table.drop_duplicates("account_id", keep="last").reset_index(drop=True)
    true = market.truth[market.truth["lost"]].set_index("account_id")["reason"]
    chosen = np.random.default_rng(seed).permutation(len(table))[:AUDITED]
    every = table.assign(audited=True, reason=table["account_id"].map(true))
    table["audited"] = np.isin(np.arange(len(table)), chosen)
    table["reason"] = np.where(table["audited"], every["reason"], table["reason"])
    recorded = table.set_index("account_id")["recorded_on"]
    hazards = exits.hazards_at_loss(why, market.matrix[market.matrix["as_of"] < day], params.featurize.period, recorded)
    result = {}
    for method, rows in ((TAUGHT, table[table["audited"]]), (WRITTEN, table), (EVERY, every)):
        result[method] = why.taught(exits.learn(exits.read(rows, hazards, day)[0], why.weights, seed))
    return result


@dataclass(frozen=True)
class Measured:
    """A metric with its interval: of one market, or the mean over markets."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, draws: FloatArray) -> Measured:
        """From the value (first) and its resamples."""
        return cls(float(draws[0]), *(float(q) for q in np.quantile(draws[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])))

    @classmethod
    def of_error(cls, draws: FloatArray) -> Measured:
        """The same of an error that is never negative, whose resamples lie above it as it lies above the true one: mirrored
        at the value (the basic bootstrap: Davison and Hinkley 1997, "Bootstrap methods and their application", 5.2)."""
        found = cls.of(draws)
        return cls(found.value, *(max(2 * found.value - end, 0.0) for end in (found.high, found.low)))

    @classmethod
    def over(cls, values: Sequence[float]) -> Measured:
        """The mean over markets, by resampling them; NaN of a market is left out."""
        there = np.array([value for value in values if not np.isnan(value)])
        if not len(there):
            return cls(*[float("nan")] * 3)
        drawn = np.random.default_rng(0).integers(0, len(there), (RESAMPLES, len(there)))
        return cls.of(np.concatenate([[there.mean()], there[drawn].mean(axis=1)]))


ERRORS = ("ece", "ece_first")
METRICS = ("rel7", "rel6", "rel8", "ece", "ece_first", "named", "precision", "two", "either")


def metrics_of(market: Market, method: str, params: Params) -> dict[str, FloatArray]:
    """Each metric of a method, and its resamples of the losses: (1 + RESAMPLES,) by metric.

    `rel7`, `rel6`, `rel8`: how often the largest share is the true reason, among the six causes of document 000 and the
    natural end, among the six, among all eight; each over how often the largest true hazard in the month of the decision
    is, which nobody can beat on average. `ece`: calibration error over all pairs of a loss and a reason, the unexplained
    among them (`models.metrics.ece`); `ece_first`: of the largest share of each loss. `named`, `precision`: share of the
    losses with a reason named, and of the names right; `two`, `either`: share of them with two candidates, and of these
    how often one of the two is the true one.
    """
    losses, share = market.losses, market.methods[method]
    true = losses["reason"].to_numpy()
    rng = np.random.default_rng(market.seed)
    weight = np.ones((1 + RESAMPLES, len(losses)))
    weight[1:] = rng.multinomial(len(losses), np.full(len(losses), 1 / len(losses)), RESAMPLES)
    result = {}
    for metric, codes in AMONG.items():
        rows, names = np.isin(true, codes), np.array(codes)
        right = names[share.loc[rows, [f"share_{code}" for code in codes]].fillna(-1.0).to_numpy().argmax(axis=1)]
        best = names[losses.loc[rows, [f"hazard_{code}" for code in codes]].to_numpy().argmax(axis=1)]
        result[metric] = (weight[:, rows] @ (right == true[rows])) / (weight[:, rows] @ (best == true[rows]))
    if f"share_{UNEXPLAINED}" not in share:
        return result
    values = share[[f"share_{code}" for code in ALL]].fillna(0.0).to_numpy()
    hit = true[:, None] == np.array(ALL)
    result["ece"] = ece(tally(hit.ravel().astype(float), values.ravel(), np.repeat(weight, len(ALL), axis=1)))
    first = np.array(ALL)[values.argmax(axis=1)] == true
    result["ece_first"] = ece(tally(first.astype(float), values.max(axis=1), weight))
    if method in market.learned:
        told = name(share, market.learned[method], least_share(params.explain.precision), params.explain.also)
        first = told["reason_1"].to_numpy() == true
        one_of_two = first | (told["reason_2"].to_numpy() == true)
        for naming, right_ones, share_told, right_told in (
            ("named", first, "named", "precision"),
            ("candidates", one_of_two, "two", "either"),
        ):
            so = (told["naming"] == naming).to_numpy()
            result[share_told] = weight @ so / weight.sum(axis=1)
            result[right_told] = weight @ (so & right_ones) / np.maximum(weight @ so, 1)
    return result


def table(markets: Sequence[Market], params: Params) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`Measured` of each metric by (scenario, seed, method), and the means over markets by method."""
    cells: dict[tuple[str, int, str], dict[str, Measured]] = {}
    draws: dict[str, list[dict[str, FloatArray]]] = {}
    for market in markets:
        for method in market.methods:
            found = metrics_of(market, method, params)
            draws.setdefault(method, []).append(found)
            cells[market.scenario, market.seed, method] = {key: _measured(key, value) for key, value in found.items()}
    means = {
        method: {key: _measured(key, np.mean([one[key] for one in found], axis=0)) for key in found[0]}
        for method, found in draws.items()
    }
    return pd.DataFrame(cells).T.reindex(columns=METRICS), pd.DataFrame(means).T.reindex(columns=METRICS)


def _measured(metric: str, draws: FloatArray) -> Measured:
    return Measured.of_error(draws) if metric in ERRORS else Measured.of(draws)


def difference(markets: Sequence[Market], method: str, other: str, params: Params) -> dict[str, Measured]:
    """By how much `method` is above `other` in rel7, rel6 and rel8, the mean over markets, by the same resamples of both."""
    both = [[metrics_of(market, name, params) for market in markets] for name in (method, other)]
    return {
        metric: Measured.of(np.mean([one[metric] - two[metric] for one, two in zip(*both, strict=True)], axis=0))
        for metric in AMONG
    }


def pooled(markets: Sequence[Market], method: str = OURS) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Shares and true reasons of the losses of all markets."""
    share = pd.concat([market.methods[method] for market in markets], ignore_index=True)
    return share, pd.concat([market.losses["reason"] for market in markets], ignore_index=True)


def seeds_of(markets: Sequence[Market]) -> pd.Series[int]:
    """The seed of the market of each loss of `pooled`."""
    lengths = [len(market.losses) for market in markets]
    return pd.Series(np.repeat([market.seed for market in markets], lengths), dtype="int64")


def worst(cells: pd.DataFrame, metric: str, method: str = OURS) -> tuple[str, float]:
    """The scenario with the lowest metric, and that metric; both of the mean over seeds."""
    by_scenario = cells.xs(method, level=2)[metric].map(lambda cell: cell.value).groupby(level=0).mean()
    return str(by_scenario.idxmin()), float(by_scenario.min())
