"""The rivals' side of `benchmarks/quality.py`: run by the interpreter of `.venv-quality`, imports nothing of Holdfast.

    .venv-quality/bin/python benchmarks/quality_rivals.py JOB.json

JOB.json says `kind` (autogluon, catboost or dfs), `settings`, and the Parquet files to read and write. The answer is Parquet,
and beside it OUT.json with seconds and versions. No test label is in any file that a rival reads.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

KEYS = ["account_id", "as_of"]
PACKAGES = {
    "autogluon": ["autogluon.tabular", "torch", "catboost", "lightgbm", "xgboost-cpu", "fastai"],
    "catboost": ["catboost"],
    "dfs": ["featuretools"],
}


def autogluon(job: dict[str, Any]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """AutoGluon's preset, chosen by its score on the rows of part "tuning" where there are any, on its own holdout else.

    `risk` is the best model as it was chosen, `refitted` the same fitted again on all rows.
    """
    from autogluon.tabular import TabularPredictor

    train, test, given = _read(job)
    part = train.pop("part")
    tuning, gap = train[part == "tuning"], train[part == "gap"]
    with TemporaryDirectory(prefix="rival-") as folder:
        predictor = TabularPredictor("label", path=folder, eval_metric=given["eval_metric"], verbosity=0)
        predictor.fit(
            train[part == "train"],
            tuning_data=tuning if len(tuning) else None,
            presets=given["preset"],
            excluded_model_types=given["without"] or None,
            time_limit=job["time_limit"],
            num_cpus=job["cpus"],
        )
        answer = {"risk": predictor.predict_proba(test)[1]}
        told = {"model": predictor.model_best, "trained": predictor.model_names()}
        chosen, used = perf_counter(), sum(os.times()[:4])
        refitted = predictor.refit_full(
            "best", set_best_to_refit_full=False, train_data_extra=gap if len(gap) else None, num_cpus=job["cpus"]
        )
        answer["refitted"] = predictor.predict_proba(test, model=refitted[predictor.model_best])[1]
        told["refit_seconds"] = perf_counter() - chosen
        told["refit_processor_seconds"] = sum(os.times()[:4]) - used
    return pd.DataFrame(answer, test.index), told


def catboost(job: dict[str, Any]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """CatBoost with its own defaults on all rows."""
    from catboost import CatBoostClassifier

    train, test, _ = _read(job)
    with TemporaryDirectory(prefix="rival-") as folder:
        model = CatBoostClassifier(random_seed=0, verbose=False, train_dir=folder, thread_count=job["cpus"])
        features = [name for name in train if name not in ("label", "part")]
        model.fit(train[features], train["label"])
        return pd.DataFrame({"risk": model.predict_proba(test[features])[:, 1]}, test.index), {}


def dfs(job: dict[str, Any]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Deep feature synthesis over accounts and their orders, as of each cut-off, over each window."""
    import featuretools as ft

    given = job["settings"]
    rows = pd.read_parquet(job["rows"])
    entities = ft.EntitySet("trade")
    entities.add_dataframe(
        pd.read_parquet(job["orders"]),
        "orders",
        index="order",
        time_index="ordered_at",
        logical_types={"account_id": "Categorical"},  # ids of digits are taken for numbers otherwise
    )
    entities.normalize_dataframe("orders", "accounts", "account_id", make_time_index=False)
    at = rows[["account_id"]].assign(time=pd.to_datetime(rows["as_of"]))
    parts = []
    for window in given["windows"]:
        found, _ = ft.dfs(
            entityset=entities,
            target_dataframe_name="accounts",
            cutoff_time=at,
            cutoff_time_in_index=True,
            include_cutoff_time=False,  # an order on the day itself is not known in the morning
            training_window=window,
            agg_primitives=given["primitives"],
            max_depth=given["depth"],
        )
        numbers = found.apply(lambda column: pd.to_numeric(column, errors="coerce")).astype(float)
        numbers.columns = [f"{name} [{window or 'all'}]" for name in numbers]
        parts.append(numbers)
    table = pd.concat(parts, axis=1).replace([np.inf, -np.inf], np.nan)
    table = table.loc[:, table.notna().any()]
    table.index = table.index.set_names(KEYS)
    table = table.reset_index()
    table["as_of"] = table["as_of"].dt.date
    table["account_id"] = table["account_id"].astype(str)
    told = {"features": table.shape[1] - len(KEYS)}
    return rows[KEYS].merge(table, on=KEYS, how="left", validate="one_to_one"), told


KINDS: dict[str, Callable[[dict[str, Any]], tuple[pd.DataFrame, dict[str, Any]]]] = {
    "autogluon": autogluon,
    "catboost": catboost,
    "dfs": dfs,
}


def _read(job: dict[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Training rows (label, part, features) and test rows (features, account and cut-off as index)."""
    train = pd.read_parquet(job["train"]).drop(columns=KEYS)
    train["label"] = train["label"].astype(int)
    return train, pd.read_parquet(job["test"]).set_index(KEYS), job["settings"]


def main() -> None:
    """Do one job."""
    warnings.filterwarnings("ignore")
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    started = perf_counter()
    answer, told = KINDS[job["kind"]](job)
    told["seconds"] = perf_counter() - started
    told["processor_seconds"] = sum(os.times()[:4])
    told["versions"] = {name: version(name) for name in PACKAGES[job["kind"]]}
    if job["kind"] != "dfs":
        answer = answer.reset_index()
    out = Path(job["out"])
    answer.to_parquet(out, index=False)
    out.with_suffix(".json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
