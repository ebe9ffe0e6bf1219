"""How many accounts a second get their reasons: SHAP values by group, against LightGBM's own values by feature.

Run `python -m benchmarks.shap_speed`, for a million accounts with `--rows 1000000`. All is measured in one run, with the
same number of threads, on a model and accounts made up so that a third of the values are missing or zero. Ours is the
best of three; `pred_contrib`, which takes long, is run once between them, on fewer accounts.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from models.treeshap import GroupShap

FloatArray = npt.NDArray[np.float64]
GROUPS = 10  # eight reasons, symptoms, context
TRAINED_ON = 20_000


def main() -> None:
    """Print the figures of one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="accounts to explain; a tenth of them, too")
    parser.add_argument("--contrib-rows", type=int, default=20_000, help="accounts for LightGBM's pred_contrib")
    parser.add_argument("--features", type=int, default=60)
    parser.add_argument("--trees", type=int, default=500)
    parser.add_argument("--leaves", type=int, default=15)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--only-compile", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only_compile:
        _first_call()
        return
    booster = train(given.features, given.trees, given.leaves, given.threads)
    group = np.arange(given.features) % GROUPS
    GroupShap.of(booster, group).values(accounts(1000, given.features, 1))  # compiles, or loads what was compiled
    print(f"{given.features} features in {GROUPS} groups, {given.trees} trees of {given.leaves} leaves")
    print(f"{given.threads} threads")

    prepare = _best(lambda: GroupShap.of(booster, group))
    shap = GroupShap.of(booster, group)
    matrix = accounts(given.rows, given.features, 2)
    before = _peak()
    times = [_timed(lambda: shap.values(matrix, given.threads))]
    growth, answer = _peak() - before, given.rows * GROUPS * 8 / 1e6
    few = matrix[: given.contrib_rows]
    theirs: list[FloatArray] = []
    contrib = _timed(
        lambda: theirs.append(np.asarray(booster.predict(few, pred_contrib=True, num_threads=given.threads)))
    )
    times += [_timed(lambda: shap.values(matrix, given.threads)) for _ in range(2)]
    tenth = _best(lambda: shap.values(matrix[: given.rows // 10], given.threads))

    values = theirs[0][:, :-1]
    sums = np.stack([values[:, group == number].sum(axis=1) for number in range(GROUPS)], axis=1)
    error = max(np.abs(shap.values(few) - sums).max(), np.abs(shap.base - theirs[0][:, -1]).max())
    ours = min(times)
    slow, fast = len(few) / contrib, given.rows / ours
    for what, rows, seconds, ratio in [
        ("pred_contrib, by feature", len(few), contrib, "1.0 x"),
        ("by group", given.rows, ours, f"{fast / slow:.1f} x"),
        ("by group, a tenth of the accounts", given.rows // 10, tenth, f"{ours / tenth:.1f} x less time"),
    ]:
        print(f"{what:36s}{rows:10,} accounts{seconds:9.2f} s{rows / seconds:12,.0f} accounts/s   {ratio}")
    print(f"preparing the model's tables: {prepare:.2f} s, {shap.tables.nbytes / 1e6:.0f} MB")
    print(f"compiling, once an installation: {_compilation():.1f} s")
    print(f"peak memory grew by {growth:.0f} MB, {answer:.0f} MB of them the answer")
    print(f"largest difference from pred_contrib: {error:.1e} log-odds")


def accounts(rows: int, features: int, seed: int) -> FloatArray:
    """Made-up accounts, (rows, features): made in place, so that memory has no peak here."""
    rng = np.random.default_rng(seed)
    matrix = np.empty((rows, features))
    for start in range(0, rows, 10_000):
        block = matrix[start : start + 10_000]
        rng.standard_normal(out=block)
        for feature in range(features):
            what = rng.random(len(block))
            if feature % 3 == 0:
                block[what < 0.4, feature] = np.nan
            elif feature % 3 == 1:
                block[:, feature] = np.where(what < 0.6, 0.0, np.abs(block[:, feature]))
    return matrix


def train(features: int, trees: int, leaves: int, threads: int) -> lgb.Booster:
    """A model of the given size on made-up accounts and a label that depends on all their features, some jointly."""
    rng = np.random.default_rng(0)
    matrix = accounts(TRAINED_ON, features, 0)
    calm = np.nan_to_num(matrix, nan=-1.0)
    odds = 0.3 * calm @ rng.standard_normal(features) + calm[:, 1] * calm[:, 0]
    label = (odds + rng.logistic(size=TRAINED_ON) > np.median(odds)).astype(np.float64)
    parameters = {
        "objective": "binary", "learning_rate": 0.03, "num_leaves": leaves, "min_data_in_leaf": 40,
        "feature_fraction": 0.5, "bagging_fraction": 0.8, "bagging_freq": 1, "lambda_l2": 1.0,
        "seed": 0, "verbosity": -1, "num_threads": threads,
    }  # fmt: skip
    return lgb.train(parameters, lgb.Dataset(matrix, label), trees)


def _first_call() -> None:
    """Print the seconds that the first use takes longer than the second."""
    booster, matrix = train(5, 2, 4, 1), accounts(10, 5, 1)
    first, second = (_timed(lambda: GroupShap.of(booster, range(5)).values(matrix)) for _ in range(2))
    print(first - second)


def _compilation() -> float:
    """Seconds to compile, in a process of its own that finds nothing compiled."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as empty:
        command = [sys.executable, "-m", "benchmarks.shap_speed", "--only-compile"]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, env=os.environ | {"NUMBA_CACHE_DIR": empty}
        )
    return float(done.stdout)


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _best(work: Callable[[], object]) -> float:
    return min(_timed(work) for _ in range(3))


def _peak() -> float:
    """Peak memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main()
