"""How much of what could be known of the losses the evidence brings: AUC of the full model, of symptoms, of the truth.

Run `make scenarios`. For each named market: the model with all features; the same recipe with the signs of the loss and
context alone; and the oracle, the same recipe with these and the true hazards of every reason, which is what perfect
evidence would be. At the last three test cut-offs whose label has matured, of the accounts that are not silent already;
intervals resample accounts. Then what the rows that the CRM closes because of a loss give to features of attention.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightgbm as lgb
import pandas as pd
from tqdm import tqdm

from benchmarks.markets import simulated
from features.catalog import FEATURES
from market.scenarios import SCENARIOS
from models.horizons import HORIZON, training_rows
from models.metrics import evaluate
from models.risk import fit
from pipeline.params import Params, load
from pipeline.train import horizons_of, recipe_from

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Print a row a scenario, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=4_000)
    parser.add_argument("--periods", type=int, default=48)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--scenario", choices=list(SCENARIOS), action="append", help="default: all")
    given = parser.parse_args()
    params = load(ROOT, "simulated")
    print("| scenario | losses | symptoms | all features | gain | oracle | gap closed |")
    print("|---|---|---|---|---|---|---|")
    for name in given.scenario or list(SCENARIOS):
        metrics = measure(name, given.accounts, given.periods, given.seed, params)
        cells = {
            model: metrics["population"]["active"][model]["mean"]["auc"] for model in ("symptoms", "risk", "oracle")
        }
        gain = metrics["paired"]["active"]["symptoms"]["mean"]["auc"]
        low, high = cells["symptoms"]["value"], cells["oracle"]["value"]
        losses = metrics["population"]["active"]["risk"]["mean"]["losses"]
        print(
            f"| {name} | {losses:,} | {low:.3f} | {cells['risk']['value']:.3f} | "
            f"{gain['value']:+.4f} ({gain['low']:+.4f} to {gain['high']:+.4f}) | {high:.3f} | "
            f"{(cells['risk']['value'] - low) / (high - low):.0%} |",
            flush=True,
        )
    print("\n| attention and managers alone, plain market | AUC |\n|---|---|")
    for words, rows in (("with rows closed because of a loss", True), ("without them", False)):
        metrics = measure("plain", given.accounts, given.periods, given.seed, params, rows)
        cell = metrics["population"]["active"]["attention"]["mean"]["auc"]
        print(f"| {words} | {cell['value']:.3f} ({cell['low']:.3f} to {cell['high']:.3f}) |", flush=True)


def measure(
    scenario: str, accounts: int, periods: int, seed: int, params: Params, closing_rows: bool = True
) -> Mapping[str, Any]:
    """Metrics of `risk`, `symptoms`, `attention` and `oracle` at the last three matured cut-offs of one market."""
    market = simulated(replace(SCENARIOS[scenario], closing_rows=closing_rows), accounts, periods, seed, params)
    matrix, cutoffs, truth = market.matrix, market.cutoffs, market.truth
    horizons = horizons_of(params.featurize)
    own = {feature.name for feature in FEATURES if feature.reason in ("symptom", "context")}
    attention = [feature.name for feature in FEATURES if feature.theme in ("attention", "managers")]
    recipe = recipe_from(params.train)
    parts = []
    hazards = [name for name in truth.columns if name.startswith("hazard_")]
    months = truth[["account_id", "period", *hazards]].rename(columns={"period": "as_of"})
    matrix["as_of_time"] = pd.to_datetime(matrix["as_of"])
    matrix = matrix.merge(
        months, left_on=["account_id", "as_of_time"], right_on=["account_id", "as_of"], how="left", suffixes=("", "_")
    )
    chosen = {"risk": market.features, "symptoms": [n for n in market.features if n in own], "attention": attention}
    chosen["oracle"] = [*chosen["symptoms"], *hazards]
    for cutoff in tqdm(cutoffs[-3:], desc=scenario, disable=None, leave=False):
        test = matrix[(matrix["as_of"] == cutoff) & matrix["label"].notna()].reset_index(drop=True)
        train = training_rows(matrix, cutoff, horizons, params.train.cutoffs)
        frame = test[["account_id", "as_of", "label", "lapsed"]].copy()
        for model, names in chosen.items():
            if model == "oracle":
                data = lgb.Dataset(train[[*names, HORIZON]].to_numpy(), train["label"].to_numpy())
                booster = lgb.train(recipe.parameters(), data, num_boost_round=recipe.rounds)
                frame[model] = booster.predict(test[names].assign(**{HORIZON: horizons.main}).to_numpy())
            else:
                frame[model] = fit(train, names, recipe, {"horizon_periods": horizons.main, "season": {}}).predict(test)
        parts.append(frame)
    return evaluate(pd.concat(parts, ignore_index=True), list(chosen), 200, 0.95, seed)


if __name__ == "__main__":
    main()
