"""How well low stability goes with losses within each half of contribution, by class and by AUC.

Run `python -m benchmarks.segments`, with `--tables FOLDER` for the tables of a source that was ingested. At each of the
last cut-offs that a horizon lies behind, half a year apart: the share of each class that ordered nothing in the horizon,
and the AUC of low stability for that, the mean of accounts of high and of low contribution; of all whose stability is
known, and of those that bought in the last quarter (stability above 0).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.metrics import roc_auc_score

from features.declaration import Expression
from features.engines import connect, open_tables
from features.periods import Duration
from features.purchases import by_period, over_all_time
from market.simulate import simulate, write
from models.segments import CLASSES, Rules, Thresholds, classify, measure
from pipeline.frames import known_until, label_of
from pipeline.params import Params, load

ROOT = Path(__file__).resolve().parent.parent
SEEDS = (101, 102, 103)
APART = Duration(6, "month")


def main() -> None:
    """Print a row a source, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=2_000)
    parser.add_argument("--tables", type=Path, action="append", help="folders with contract tables; default: simulated")
    parser.add_argument("--cutoffs", type=int, default=3)
    given = parser.parse_args()
    params = load(ROOT, "simulated")
    print("| source | accounts | lost EI | EII | EIII | EIV | AUC | AUC of those that still bought |")
    print("|---|---|---|---|---|---|---|---|")
    for name, tables in _sources(given.tables or [], given.accounts, params):
        told = told_apart(tables, params, given.cutoffs)
        lost = " | ".join(f"{told[code]:.1%}" for code in CLASSES)
        print(f"| {name} | {told['accounts']:,} | {lost} | {told['auc']:.3f} | {told['auc_buying']:.3f} |", flush=True)


def told_apart(tables: Mapping[str, Expression], params: Params, cutoffs: int) -> dict[str, Any]:
    """Means over the cut-offs: `accounts` classed, share lost by class, `auc` and `auc_buying`."""
    period, label = params.featurize.period, label_of(params.featurize)
    rules, orders = Rules(**params.segments.model_dump()), tables["orders"]
    last = label.last_matured(known_until(dict(tables)))
    results = []
    for as_of in (APART.before(last, step) for step in range(cutoffs)):
        bought = by_period(orders, period, as_of, rules.history)
        measures = measure(bought, over_all_time(orders, as_of), period, as_of, rules)
        frame = classify(measures, Thresholds.of(measures, rules)).dropna(subset="class")
        later = by_period(orders, label.horizon, label.end(as_of), 1)
        frame["lost"] = ~frame["account_id"].isin(later.loc[later["order_days"] > 0, "account_id"])
        shares = frame.groupby("class")["lost"].mean().to_dict()
        areas = {"auc": _area(frame), "auc_buying": _area(frame[frame["stability"] > 0])}
        results.append({"accounts": len(frame), **shares, **areas})
    found = pd.DataFrame(results).mean()
    return {**found.to_dict(), "accounts": round(found["accounts"])}


def _area(frame: pd.DataFrame) -> float:
    halves = (part for _, part in frame.groupby(frame["class"].isin(CLASSES[:2])) if part["lost"].nunique() == 2)
    return float(pd.Series([roc_auc_score(part["lost"], -part["stability"]) for part in halves]).mean())


def _sources(folders: list[Path], accounts: int, params: Params) -> Iterator[tuple[str, Mapping[str, Expression]]]:
    with tempfile.TemporaryDirectory(prefix="holdfast-segments-") as name:
        if not folders:
            for seed in SEEDS:
                folder = Path(name) / str(seed)
                tables = simulate(accounts, 60, seed, date(2019, 1, 1))
                write(tables, folder / f"market {seed}" / "tables", folder / "truth.parquet")
                folders = [*folders, folder / f"market {seed}" / "tables"]
        for folder in folders:
            connection = connect(params.featurize.memory)
            yield folder.parent.name, open_tables(connection, folder)
            connection.disconnect()


if __name__ == "__main__":
    main()
