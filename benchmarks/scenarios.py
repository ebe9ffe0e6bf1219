"""How much of what could be known of the losses the evidence brings: AUC of the full model, of symptoms, of the truth.

Run `make scenarios`. For each named market: the model with all features, the same recipe with the signs of the loss and
context alone, and the oracle, which ranks by the true hazards and knows who has decided already. Test cut-offs are the
last three whose label has matured; of the accounts that are not silent already; intervals resample accounts.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from tqdm import tqdm

from features.catalog import FEATURES
from features.fold import connect, open_tables
from features.matrix import build, features_of
from features.periods import rolling_cutoffs
from market.scenarios import SCENARIOS
from market.simulate import simulate, write
from models.metrics import evaluate
from models.risk import Recipe, fit
from models.splits import split
from pipeline.frames import label_of, meta_of, plan_of
from pipeline.params import Params, load
from pipeline.train import rows_of

ROOT = Path(__file__).resolve().parent.parent
HORIZON_MONTHS = 3


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


def measure(scenario: str, accounts: int, periods: int, seed: int, params: Params) -> Mapping[str, Any]:
    """Metrics of `risk`, `symptoms` and `oracle` at the last three matured cut-offs of one market."""
    tables = simulate(accounts, periods, seed, params.simulate.start, SCENARIOS[scenario])
    truth = tables["truth"]
    label, plan = label_of(params.featurize), plan_of(params.featurize)
    with tempfile.TemporaryDirectory(prefix="holdfast-scenario-") as name:
        write(tables, Path(name) / "tables", Path(name) / "truth.parquet")
        connection = connect(params.featurize.memory)
        opened = open_tables(connection, Path(name) / "tables")
        until = tables["orders"]["ordered_at"].max().date() + timedelta(days=1)
        first = params.featurize.history.after(params.simulate.start)
        cutoffs = rolling_cutoffs(first, label.last_matured(until).replace(day=1), plan.period)
        features = [feature.name for feature in features_of(opened)]
        matrix = pa.concat_tables(list(build(connection, opened, cutoffs, plan, until))).to_pandas()
        connection.disconnect()
    matrix = matrix.sort_values(["as_of", "account_id"], ignore_index=True)
    own = {feature.name for feature in FEATURES if feature.reason in ("symptom", "context")}
    recipe = Recipe(**params.train.model_dump(exclude={"cutoffs", "calibration_cutoffs"}))
    parts = []
    for cutoff in tqdm(cutoffs[-3:], desc=scenario, disable=None, leave=False):
        test = matrix[(matrix["as_of"] == cutoff) & matrix["label"].notna()].reset_index(drop=True)
        learned = split(cutoffs, cutoff, label, params.train.cutoffs, params.train.calibration_cutoffs)
        frame = test[["account_id", "as_of", "label", "lapsed"]].copy()
        for model, names in (("risk", features), ("symptoms", [name for name in features if name in own])):
            fitted = fit(rows_of(matrix), learned, names, recipe, meta_of(plan))
            frame[model] = fitted.predict(test)
        frame["oracle"] = oracle(truth, cutoff).reindex(test["account_id"]).fillna(1.0).to_numpy()
        parts.append(frame)
    return evaluate(pd.concat(parts, ignore_index=True), ["risk", "symptoms", "oracle"], 200, 0.95, seed)


def oracle(truth: pd.DataFrame, as_of: date) -> pd.Series[float]:
    """Chance, by account, of deciding within the horizon by the true hazards at as_of; 1 for those who have decided.

    An account without a row has stopped ordering before.
    """
    now = truth[truth["period"] == pd.Timestamp(as_of)].set_index("account_id")
    hazard = now.filter(like="hazard_").sum(axis=1)
    decided = now["decided"].notna() & (pd.to_datetime(now["decided"]) < pd.Timestamp(as_of))
    chance = pd.Series(-np.expm1(-HORIZON_MONTHS * hazard), index=now.index)
    return chance.where(~decided, 1.0)


if __name__ == "__main__":
    main()
