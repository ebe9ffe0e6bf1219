"""How fast and in how much memory a million accounts are scored, with reasons for the riskiest tenth or for all.

`python -m benchmarks.scoring --accounts 1000000`, and `--all` for the reasons of all. A model of 60 features learns from a sample
of the accounts by the recipe
of `params.yaml`; a process of its own then scores them all, so that its peak memory is that of the scoring. "Risk alone" is
`RiskModel.predict` over the blocks of the as_of, one horizon, beside LightGBM's predict of the same trees on the same values
as one matrix of float64, in turns in one process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from benchmarks.matrix import CARE, FIRST, generate_care
from features.engines import connect, open_tables
from features.matrix import KEYS, build, write
from features.periods import rolling_cutoffs
from models import competing
from models.causes import CauseModel, CauseRecipe
from models.risk import RiskModel
from pipeline.feature_rows import feature_rows
from pipeline.frames import plan_from, plan_of, read_matrix
from pipeline.layout import Layout
from pipeline.params import Params, load
from pipeline.score import Request, run
from pipeline.train import fit_at

ROOT = Path(__file__).resolve().parents[1]
SOURCE = "contract"
ORDERS = 12  # of an account on average, over three years
FEATURES = 60
SAMPLE = 20_000  # accounts that the model learns from
UNTIL = date(2025, 1, 1)


def main() -> None:
    """Print the figures of one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--all", action="store_true", help="reasons for all accounts, not for a tenth")
    parser.add_argument("--folder", type=Path, help="folder that keeps data and model between runs; default: none")
    parser.add_argument("--only", choices=["score", "risk"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        work = {"score": score, "risk": risk_alone}[given.only]
        print(json.dumps(work(Layout(given.folder, SOURCE), params_for(given.accounts, given.all))))
        return
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as name:
        folder = given.folder or Path(name)
        layout = Layout(folder, SOURCE)
        if not layout.model.exists():
            prepare(layout, given.accounts)
        scored = _of_its_own("score", folder, given.accounts, given.all)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
        risk = _of_its_own("risk", folder, given.accounts, given.all)
        print("\n".join(table(scored, risk, peak)))


def table(scored: dict[str, Any], risk: dict[str, Any], peak: float) -> list[str]:
    """The lines that are printed: seconds of the clock and of the processor, which other work on the machine does not
    lengthen, and accounts a second of each."""
    accounts, told = scored["counts"]["accounts"], scored["counts"]["with_reasons"]
    rows = {name: (taken, scored["processor_seconds"][name]) for name, taken in scored["seconds"].items()}
    rows["in all"] = (sum(scored["seconds"].values()), sum(scored["processor_seconds"].values()))
    return [
        f"{accounts:,} accounts scored, reasons of {told:,}; {FEATURES} features, {scored['trees']} trees, "
        f"{scored['horizons']} horizons; causes: {scored['cause_trees']} trees in {scored['bags']} bags; "
        f"{os.cpu_count()} cores, OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', '-')}",
        *(
            f"{name:10s}{clock:9.1f} s{_rate(name, accounts, told) / clock:10,.0f} accounts/s   of the processor "
            f"{processor:9.1f} s{_rate(name, accounts, told) / max(processor, 1e-3):10,.0f} accounts/s"
            for name, (clock, processor) in rows.items()
        ),
        f"peak memory {peak:.2f} GB",
        f"risk alone, one horizon, of the processor: {risk['own']:.2f} s; LightGBM's predict on the same matrix: "
        f"{risk['lightgbm']:.2f} s; {risk['own'] / risk['lightgbm']:.2f} x",
    ]


def _rate(name: str, accounts: int, told: int) -> int:
    """The accounts that a phase works on."""
    return told if name == "reasons" else accounts


def params_for(accounts: int, everyone: bool = False) -> Params:
    """Those of `params.yaml`, with reasons for `everyone` or for a tenth: half of them for active accounts, half for lapsed
    ones."""
    params = load(ROOT, SOURCE)
    rank = None if everyone else accounts // 20
    return params.model_copy(update={"explain": params.explain.model_copy(update={"rank": rank})})


def prepare(layout: Layout, accounts: int) -> None:
    """Generate the tables, and fit the models on a sample of the accounts."""
    params = params_for(accounts)
    generate(layout.tables, accounts)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as name:
        sample = Layout(Path(name), SOURCE)
        sample.tables.mkdir(parents=True)
        for table in ("orders", *CARE):
            source, target = layout.tables / f"{table}.parquet", sample.tables / f"{table}.parquet"
            wanted = f"hash(account_id) % {max(accounts // SAMPLE, 1)} = 0"
            duckdb.connect().execute(f"COPY (SELECT * FROM '{source}' WHERE {wanted}) TO '{target}' (FORMAT PARQUET)")
        connection = connect(params.featurize.memory)
        cutoffs = rolling_cutoffs(date(2024, 1, 1), date(2024, 12, 1), params.featurize.period)
        tables = open_tables(connection, sample.tables)
        write(build(connection, tables, cutoffs, plan_of(params.featurize), UNTIL), sample.matrix)
        connection.disconnect()
        matrix = read_matrix(sample.matrix)
    names = [name for name in matrix.columns if name not in KEYS]
    kept = {names[place] for place in np.linspace(0, len(names) - 1, FEATURES - 1).astype(int)} | {"amount_12"}
    matrix = matrix.drop(columns=[name for name in names if name not in kept])
    model = fit_at(matrix, UNTIL, params.featurize, params.train)
    model.save(layout.model)
    recipe = CauseRecipe(**params.reasons.model_dump())
    rows = competing.ahead(matrix, params.featurize.period, recipe.lead)
    competing.fit(rows, model.features, recipe).save(layout.causes)


def generate(folder: Path, accounts: int) -> None:
    """Orders of a line each, half of them by two thirds of the accounts, and the tables of care beside them."""
    folder.mkdir(parents=True)
    duckdb.connect().execute(
        f"""COPY (
        SELECT 'O' || i AS order_id, 'A' || lpad((hash(i) % (CASE WHEN i % 2 = 0 THEN {accounts} ELSE {accounts * 2 // 3} END))
                ::VARCHAR, 7, '0') AS account_id,
            TIMESTAMP '{FIRST}' + to_seconds((hash(i + 7) % (1096 * 86400))::BIGINT) AS ordered_at,
            'P' || (hash(i + 5) % 200) AS product_id, (hash(i + 1) % 24 + 1)::DECIMAL(18, 4) AS quantity,
            ((hash(i + 2) % 24000 + 100) / 100.0)::DECIMAL(18, 4) AS amount, hash(i + 3) % 50 = 0 AS is_return
        FROM range({accounts * ORDERS}) AS t(i)) TO '{folder / "orders.parquet"}' (FORMAT PARQUET)"""
    )
    generate_care(folder, accounts * ORDERS, accounts)
    for name in CARE:  # whose accounts are numbered with six digits
        path, renamed = folder / f"{name}.parquet", folder / f".{name}.parquet"
        number = "'A' || lpad(substr(account_id, 2), 7, '0')"
        duckdb.connect().execute(
            f"COPY (SELECT * REPLACE ({number} AS account_id) FROM '{path}') TO '{renamed}' (FORMAT PARQUET)"
        )
        renamed.replace(path)


def risk_alone(layout: Layout, params: Params) -> dict[str, float]:
    """Seconds of the processor for one horizon's risks over the blocks, and of LightGBM on all values as one matrix: the best of two."""
    model = RiskModel.load(layout.model)
    plan = plan_from(dict(model.meta), params.featurize.block)
    with feature_rows(layout, None, plan, params.featurize, model.features) as rows:
        frames = [part.to_pandas() for part in rows.blocks(rows.as_of)]
    whole = np.concatenate([model.inputs(frame) for frame in frames])
    own, lightgbm = [], []
    for _ in range(2):
        own.append(_timed(lambda: [model.predict(frame) for frame in frames]))
        lightgbm.append(_timed(lambda: model.booster.predict(whole)))
    return {"own": min(own), "lightgbm": min(lightgbm)}


def _timed(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _of_its_own(only: str, folder: Path, accounts: int, everyone: bool) -> dict[str, Any]:
    """What a process of its own says in its last line."""
    command = [sys.executable, "-m", "benchmarks.scoring", "--only", only]
    command += ["--folder", str(folder), "--accounts", str(accounts), *(["--all"] if everyone else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def score(layout: Layout, params: Params) -> dict[str, Any]:
    """Score all accounts as `holdfast score` does; its summary, with what it was done by."""
    model = RiskModel.load(layout.model)
    said = run(layout, params, Request(force=True))
    boosters = [booster for bags in CauseModel.load(layout.causes).boosters.values() for booster in bags]
    return {
        **said,
        "trees": model.booster.num_trees(),
        "horizons": len({model.main, *model.steps}),
        "cause_trees": sum(booster.num_trees() for booster in boosters),
        "bags": params.reasons.bags,
    }


if __name__ == "__main__":
    main()
