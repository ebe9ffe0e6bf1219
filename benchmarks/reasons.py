"""How often the first reason is right: on markets in which the true reason of every loss is known.

Run `make reasons`. Of accounts still buying at one of four test cut-offs a quarter apart that then stop, the reason with
the largest share is set against the reason they truly left for: `rel7` among the six causes of document 000 and the
natural end, `rel6` among the six, `rel8` among all eight, each over the accuracy of the largest true hazard in the month
of the decision, which nobody can beat on average. Models have learned only from labels matured before the first test
cut-off, never from a reason. Intervals resample the losses of each market; the mean is over markets.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd
from tqdm import tqdm

from benchmarks.markets import Simulated, simulated
from features.catalog import FEATURES
from features.periods import Duration
from market.scenarios import SCENARIOS
from models.attribution import contributions, grouped
from models.causes import CauseModel, CauseRecipe, ahead, fit
from models.reasons import shares, taxonomy
from pipeline.frames import label_of
from pipeline.layout import Layout
from pipeline.params import Params, load
from pipeline.train import fit_at

SIX = taxonomy().codes[:6]
AMONG = {"rel7": (*SIX, "natural_end"), "rel6": SIX, "rel8": taxonomy().codes}
MONTH, QUARTER = Duration(1, "month"), Duration(3, "month")
TESTS = 4
RESAMPLES = 200


def main() -> None:
    """Print a row a market and method, and the means, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=6_000)
    parser.add_argument("--periods", type=int, default=48)
    parser.add_argument("--seeds", type=int, nargs="+", default=[31])
    parser.add_argument("--scenario", choices=list(SCENARIOS), action="append", help="default: all")
    given = parser.parse_args()
    params = load(Layout.here("simulated").root, "simulated")
    print(f"| market | losses | method | {' | '.join(AMONG)} |\n|---|---|---|---|---|---|", flush=True)
    results: dict[str, list[np.ndarray]] = {}
    markets = [(name, seed) for name in given.scenario or SCENARIOS for seed in given.seeds]
    for name, seed in tqdm(markets, desc="markets", disable=None):
        market = simulated(SCENARIOS[name], given.accounts, given.periods, seed, params)
        losses, methods = measure(market, params)
        for method, share in methods.items():
            cells = relative(losses, share, seed)
            results.setdefault(method, []).append(cells)
            print(f"| {name} {seed} | {len(losses):,} | {method} | {_cells(cells)} |", flush=True)
    for method, cells in results.items():
        print(f"| mean | | {method} | {_cells(np.nanmean(cells, axis=0))} |")


def measure(market: Simulated, params: Params) -> tuple[pd.DataFrame, Mapping[str, pd.DataFrame]]:
    """The losses at the test cut-offs with their true reason and hazards, and each method's shares of reasons, by loss."""
    last = market.cutoffs[-1]
    tests = sorted(QUARTER.before(last, back) for back in range(TESTS))
    known = market.matrix[[label_of(params.featurize).matures(day) <= tests[0] for day in market.matrix["as_of"]]]
    risk = fit_at(known, tests[0], params.featurize, params.train)
    recipe = CauseRecipe(**params.reasons.model_dump())
    why = fit(ahead(known, params.featurize.period, recipe.lead), list(market.features), recipe, progress=False)
    losses = true_losses(market, tests)
    common = known_reasons(market, tests[0]).value_counts(normalize=True)
    return losses, {
        "the most common reason": pd.DataFrame({code: common.get(code, 0.0) for code in AMONG["rel8"]}, losses.index),
        "largest z-score": z_scores(losses, known[known["as_of"] == max(known["as_of"])]),
        "SHAP of the risk model by reason": grouped(contributions(risk, losses)[0]),
        "model of causes": hazard_shares(why, market, losses),
    }


def true_losses(market: Simulated, tests: list[date]) -> pd.DataFrame:
    """Matrix rows of accounts still buying at a test cut-off that stop for good then, with `reason` and true hazards."""
    truth = market.truth
    hazards = [name for name in truth.columns if name.startswith("hazard_")]
    decided = truth[truth["decided"] == truth["period"]].set_index("account_id")[hazards]
    lost = truth[truth["lost"]].set_index("account_id")[["reason", "period"]].join(decided, how="inner")
    rows = market.matrix[market.matrix["as_of"].isin(tests) & (market.matrix["label"] == 1) & ~market.matrix["lapsed"]]
    rows = rows.join(lost, on="account_id", how="inner")
    day = pd.to_datetime(rows["as_of"])
    near = (rows["period"] >= day - pd.DateOffset(months=4)) & (rows["period"] < day + pd.DateOffset(months=3))
    return rows[near].reset_index(drop=True)


def known_reasons(market: Simulated, before: date) -> pd.Series:
    """True reasons of the losses before a day."""
    truth = market.truth
    return truth.loc[truth["lost"] & (truth["period"] < pd.Timestamp(before)), "reason"]


def z_scores(losses: pd.DataFrame, healthy: pd.DataFrame) -> pd.DataFrame:
    """By reason the largest z-score of its features in the direction in which they harm, against all accounts."""
    result = {}
    for code in taxonomy().codes:
        own = [feature for feature in FEATURES if feature.reason == code and feature.name in losses]
        sign = np.array([1.0 if feature.direction == "rises" else -1.0 for feature in own])
        names = [feature.name for feature in own]
        spread = healthy[names].std().replace(0, np.nan)
        result[code] = ((losses[names] - healthy[names].mean()) / spread * sign).max(axis=1).fillna(-np.inf)
    return pd.DataFrame(result)


def hazard_shares(why: CauseModel, market: Simulated, losses: pd.DataFrame) -> pd.DataFrame:
    """Shares as `holdfast score` gives them: from the evidence at the cut-off and at those before it."""
    parts = []
    for as_of, rows in losses.groupby("as_of"):
        days = [MONTH.before(as_of, back) for back in range(why.recipe.lags + 1)]
        history = market.matrix[market.matrix["as_of"].isin(days)]
        hazards = why.hazards(history).groupby(history["account_id"]).mean().reindex(rows["account_id"])
        parts.append(shares(hazards.set_index(rows.index)))
    return pd.concat(parts).sort_index().rename(columns=lambda name: name.removeprefix("share_"))


def relative(losses: pd.DataFrame, share: pd.DataFrame, seed: int) -> np.ndarray:
    """Accuracy of the largest share over that of the largest true hazard, with low and high: (metrics, 3)."""
    rng = np.random.default_rng(seed)
    result = []
    for codes in AMONG.values():
        rows = losses["reason"].isin(codes).to_numpy()
        true = losses.loc[rows, "reason"].to_numpy()
        names = np.array(codes)
        right = names[share.loc[rows, list(codes)].to_numpy().argmax(axis=1)] == true
        best = names[losses.loc[rows, [f"hazard_{code}" for code in codes]].to_numpy().argmax(axis=1)] == true
        draws = rng.integers(0, len(true), (RESAMPLES, len(true)))
        ratios = right[draws].mean(axis=1) / best[draws].mean(axis=1)
        result.append([right.mean() / best.mean(), *np.quantile(ratios, [0.025, 0.975])])
    return np.array(result)


def _cells(values: np.ndarray) -> str:
    return " | ".join(f"{value:.3f} ({low:.3f} to {high:.3f})" for value, low, high in values)


if __name__ == "__main__":
    main()
