"""What `benchmarks/quality.py` compares: sources brought to their matrix, rivals run or taken from the cache, Holdfast beside them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from features.errors import ConfigurationError, ContractError, HoldfastError
from features.matrix import KEYS
from models.horizons import matured
from pipeline import featurize
from pipeline.evaluate import predict_at, test_cutoffs
from pipeline.frames import label_of, read_matrix, write_frame, write_text
from pipeline.ingest import ingest
from pipeline.layout import Layout
from pipeline.params import Featurize, Params, load
from pipeline.past import Past

SOURCES = {"online_retail_ii": "online_retail_ii", "iowa": "iowa", "iowa_state": "iowa"}  # and the folder of raw files
STACKED, TUNING = 18, 3  # cut-offs a rival learns from, and of these the last, which it chooses its models on
RFM = ("recency", "tenure", "order_days_12", "order_days_total", "amount_12")  # all that RFM logistic and BG/NBD see
ROW = ["account_id", "as_of"]
SCRIPT = Path(__file__).with_name("quality_rivals.py")
PINS = Path(__file__).with_name("quality-requirements.txt")
DFS: dict[str, Any] = {
    "windows": [None, "90 days"],
    "depth": 2,
    "primitives": [
        *("sum", "mean", "std", "min", "max", "count", "num_unique"),
        *("time_since_last", "time_since_first", "avg_time_between"),
    ],
}
AUTOGLUON: dict[str, Any] = {"preset": "medium_quality", "eval_metric": "roc_auc", "without": []}
NETS = ["NN_TORCH", "FASTAI"]
REFITTED = "_refitted"  # ending of the column of the same models fitted again on all rows


@dataclass(frozen=True)
class Rival:
    """One way to predict: a tool, the features it is given, and the cut-offs it learns from."""

    title: str
    kind: str  # autogluon or catboost
    features: str  # holdfast, rfm or dfs
    stacked: bool  # the latest STACKED matured cut-offs, else the latest one
    settings: Mapping[str, Any] = field(default_factory=dict)


def rivals(trees_only: bool) -> dict[str, Rival]:
    """All rivals by the name of their column; `trees_only`: AutoGluon without its neural nets on stacked cut-offs."""
    some = AUTOGLUON | {"without": NETS if trees_only else []}
    of_which = ", trees" if trees_only else ""
    sets = {"holdfast": "our features", "rfm": "RFM", "dfs": "DFS"}
    return {
        "catboost": Rival("CatBoost, our features", "catboost", "holdfast", True),
        **{f"autogluon_{name}_latest": Rival(f"AutoGluon, {title}, latest cut-off", "autogluon", name, False, AUTOGLUON) for name, title in sets.items()},
        **{f"autogluon_{name}": Rival(f"AutoGluon, {title}{of_which}", "autogluon", name, True, some) for name, title in sets.items()},
    }  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where the rivals live and leave their answers."""

    root: Path
    python: Path
    time_limit: float | None = None
    cpus: int = 2

    @property
    def cache(self) -> Path:
        return self.root / "artifacts" / "quality"


@dataclass(frozen=True)
class Prepared:
    """A source brought from its raw files to the matrix, and the processor seconds that took."""

    source: str
    params: Params
    matrix: pd.DataFrame
    orders: Path
    cutoffs: tuple[date, ...]
    seconds: float


@dataclass(frozen=True)
class Result:
    """Predictions of Holdfast, the baselines and the rivals at all cut-offs of a source, and seconds by model: from the
    raw files to the risks at one cut-off, the mean."""

    source: str
    predictions: pd.DataFrame
    seconds: dict[str, float]
    versions: dict[str, str]


def processor_seconds() -> float:
    """Seconds of all processors that this process and the children it waited for have used: other work on the machine
    hardly changes them, while it stretches the wall time."""
    return float(sum(os.times()[:4]))


def interpreter(root: Path, given: Path | None = None) -> Path:
    """The rivals' Python. Raises ConfigurationError if it is not there."""
    path = given or root / ".venv-quality" / "bin" / "python"
    if not path.exists():
        raise ConfigurationError(
            f"{path} is missing: AutoGluon, CatBoost and featuretools live in an environment of their own. "
            "Run `make quality`, which makes it, or name another with --python."
        )
    return path


def chosen_cutoffs(matrix: pd.DataFrame, params: Params, last: int, development: bool) -> list[date]:
    """The last test cut-offs, or with `development` the last ones whose label had matured a period before the first.

    Raises ConfigurationError if there is none that anything can be learned for.
    """
    tests = test_cutoffs(matrix, params.evaluate)
    known = sorted(set(matrix.loc[matrix["label"].notna(), "as_of"]))
    label = label_of(params.featurize)
    if development:
        before = params.featurize.period.before(tests[0])
        tests = [cutoff for cutoff in known if label.matures(cutoff) <= before]
    tests = [cutoff for cutoff in tests if label.matures(known[0]) <= cutoff]
    if not tests:
        raise ConfigurationError(
            f"There is no {'development' if development else 'test'} cut-off with a matured label before it: the matrix "
            f"begins at {known[0]}. Choose another source, or earlier cut-offs in its params.yaml."
        )
    return tests[-last:]


def prepare(root: Path, work: Path, source: str, data: Path, last: int, development: bool) -> Prepared:
    """Raw files to the matrix, in `work`; in development nothing later than the last cut-off is kept of it."""
    params, layout = load(root, source), Layout(work, source)
    started = processor_seconds()
    ingest(source, data / SOURCES[source], layout.data, params.ingest, root)
    featurize.run(layout, params.featurize)
    matrix = read_matrix(layout.matrix)
    seconds = processor_seconds() - started
    cutoffs = chosen_cutoffs(matrix, params, last, development)
    matrix = matrix[matrix["as_of"] <= cutoffs[-1]].reset_index(drop=True)
    return Prepared(source, params, matrix, layout.tables / "orders.parquet", tuple(cutoffs), seconds)


def stack_at(matrix: pd.DataFrame, cutoff: date, given: Featurize) -> tuple[date, ...]:
    """The cut-offs a rival learns from at `cutoff`, by the rule that holds for Holdfast; not by its parameters, so that
    tuning Holdfast leaves the rivals' answers valid."""
    return matured(sorted(set(matrix["as_of"])), cutoff, label_of(given), STACKED)


def frames_of(
    matrix: pd.DataFrame, features: Sequence[str], cutoff: date, given: Featurize, stacked: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training rows (with label and `part`) and test rows (without label) of a rival.

    Part "tuning": the last cut-offs, to choose on; "train": those whose label had matured before them; "gap": between, for
    the last fit only. Labels of neighbouring cut-offs overlap: without a gap a model would be chosen for knowing accounts by
    heart. All is "train" where the latest cut-off is all there is, or nothing had matured before the last ones.
    """
    stack = stack_at(matrix, cutoff, given)
    known = matrix["label"].notna()
    days, tuning = stack if stacked else stack[-1:], stack[-TUNING:]
    before = [day for day in stack if label_of(given).matures(day) <= tuning[0]]
    train = matrix.loc[matrix["as_of"].isin(days) & known, [*ROW, "label", *features]]
    part = pd.Series("train", train.index)
    if stacked and before:
        part[~train["as_of"].isin(before)] = "gap"
        part[train["as_of"].isin(tuning)] = "tuning"
    train.insert(3, "part", part)
    test = matrix.loc[(matrix["as_of"] == cutoff) & known, [*ROW, *features]]
    return train.reset_index(drop=True), test.reset_index(drop=True)


def features_of(matrix: pd.DataFrame) -> list[str]:
    """All columns of the matrix that a model may learn from."""
    return [str(name) for name in matrix if name not in KEYS]


def key_of(settings: Mapping[str, Any], *frames: pd.DataFrame) -> str:
    """Hash of what a rival reads: settings, pinned versions, and names and values of every column."""
    pins = [line for line in PINS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    digest = hashlib.sha256(json.dumps([dict(settings), pins], sort_keys=True).encode())
    for frame in frames:
        for name in frame:
            values = frame[name]
            plain = (
                values.to_numpy(float) if pd.api.types.is_numeric_dtype(values) else values.astype(str).to_numpy(str)
            )
            digest.update(f"{name} {plain.shape}".encode() + np.ascontiguousarray(plain).tobytes())
    return digest.hexdigest()[:16]


def answer_of(
    place: Place,
    name: str,
    kind: str,
    settings: Mapping[str, Any],
    frames: Mapping[str, pd.DataFrame],
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """What a rival answers, with what it told of itself: from the cache, else by running it.

    Raises HoldfastError, with the end of what it wrote, if it fails.
    """
    everything = {"kind": kind, "time_limit": place.time_limit, **settings}
    out = place.cache / f"{name}-{key_of(everything, *frames.values())}.parquet"
    told = out.with_suffix(".json")
    if not (out.exists() and told.exists()):
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix="holdfast-rival-") as folder:
            paths = {part: str(Path(folder) / f"{part}.parquet") for part in frames}
            for part, frame in frames.items():
                write_frame(frame, Path(paths[part]))
            written = Path(folder) / "out.parquet"
            job = {
                **{"kind": kind, "settings": dict(settings), "time_limit": place.time_limit, "cpus": place.cpus},
                **{**paths, "out": str(written)},
            }
            write_text(json.dumps(job), Path(folder) / "job.json")
            environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
            done = subprocess.run(
                [str(place.python), str(SCRIPT), str(Path(folder) / "job.json")],
                env={**environment, "OMP_NUM_THREADS": str(place.cpus)},
                capture_output=True,
                text=True,
            )
            if done.returncode or not written.exists():
                end = "\n".join(done.stderr.strip().splitlines()[-5:])
                raise HoldfastError(f"The rival {name} failed:\n{end}\nCorrect it, or leave it out with --rivals.")
            shutil.copy(written, out)
            shutil.copy(written.with_suffix(".json"), told)
    return pd.read_parquet(out), json.loads(told.read_text(encoding="utf-8"))


def aligned(answer: pd.DataFrame, test: pd.DataFrame, name: str) -> pd.DataFrame:
    """The answer in the order of the test rows. Raises ContractError unless it holds each of them once, and no other."""
    got, asked = (pd.MultiIndex.from_arrays([part["account_id"], part["as_of"].astype(str)]) for part in (answer, test))
    if got.has_duplicates or len(got) != len(asked) or len(asked.difference(got)):
        raise ContractError(
            f"The rival {name} answered {len(got):,} rows for {len(asked):,} accounts asked for; {len(asked.difference(got)):,} "
            f"are missing, {len(got.difference(asked)):,} were not asked for. Delete its files in artifacts/quality, run again."
        )
    return answer.iloc[got.get_indexer(asked)].reset_index(drop=True)


def invoices(path: Path, accounts: set[str]) -> pd.DataFrame:
    """The orders table, one row an order: what somebody would give featuretools."""
    lines = pd.read_parquet(path)
    lines = lines[lines["account_id"].isin(accounts)]
    lines = lines.assign(amount=lines["amount"].astype(float), quantity=lines["quantity"].astype(float), lines=1.0)
    table = (
        lines.groupby(["account_id", "order_id"], as_index=False)
        .agg({"ordered_at": "min", "amount": "sum", "quantity": "sum", "lines": "sum", "is_return": "max"})
        .sort_values(["ordered_at", "order_id"], ignore_index=True)
    )
    table.insert(0, "order", np.arange(len(table)))
    return table.drop(columns="order_id").assign(is_return=table["is_return"].astype(float))


def synthesised(place: Place, prepared: Prepared) -> tuple[pd.DataFrame, float, dict[str, str]]:
    """The matrix with DFS features in place of ours, the seconds they take for what one test cut-off needs, versions."""
    wanted: set[date] = set()
    for cutoff in prepared.cutoffs:
        wanted |= {cutoff, *stack_at(prepared.matrix, cutoff, prepared.params.featurize)}
    matrix = prepared.matrix[prepared.matrix["as_of"].isin(wanted)].reset_index(drop=True)
    frames = {"rows": matrix[ROW], "orders": invoices(prepared.orders, set(matrix["account_id"]))}
    answer, told = answer_of(place, f"{prepared.source}-dfs", "dfs", DFS, frames)
    answer = aligned(answer, matrix, "dfs")
    one = 1 + len(stack_at(prepared.matrix, prepared.cutoffs[-1], prepared.params.featurize))
    table = pd.concat([matrix[[name for name in matrix if name in KEYS]], answer.drop(columns=ROW)], axis=1)
    return table, told["processor_seconds"] * one / len(wanted), told["versions"]


def run_rivals(place: Place, prepared: Prepared, chosen: Mapping[str, Rival], bar: Any) -> Result:
    """All rivals at all cut-offs of a source; predictions hold account, cut-off and a column a rival."""
    matrices = {
        "holdfast": (prepared.matrix, features_of(prepared.matrix), 0.0),
        "rfm": (prepared.matrix, list(RFM), 0.0),
    }
    versions: dict[str, str] = {}
    if any(rival.features == "dfs" for rival in chosen.values()):
        bar.set_postfix_str(f"{prepared.source} DFS")
        table, seconds, versions = synthesised(place, prepared)
        matrices["dfs"] = (table, features_of(table), seconds)
    parts: dict[date, pd.DataFrame] = {}
    spent: dict[str, list[float]] = {}
    for name, rival in chosen.items():
        matrix, features, seconds = matrices[rival.features]
        for cutoff in prepared.cutoffs:
            bar.set_postfix_str(f"{prepared.source} {cutoff} {name}")
            train, test = frames_of(matrix, features, cutoff, prepared.params.featurize, rival.stacked)
            label = f"{prepared.source}-{cutoff}-{name}"
            answer, told = answer_of(place, label, rival.kind, rival.settings, {"train": train, "test": test})
            answer = aligned(answer, test, name)
            parts.setdefault(cutoff, test[ROW].copy())
            parts[cutoff][name] = answer["risk"].to_numpy(float)
            if "refitted" in answer:
                parts[cutoff][name + REFITTED] = answer["refitted"].to_numpy(float)
            whole = prepared.seconds + seconds + told["processor_seconds"]
            spent.setdefault(name, []).append(whole - told.get("refit_processor_seconds", 0.0))
            if "refitted" in answer:
                spent.setdefault(name + REFITTED, []).append(whole)
            versions |= told["versions"]
            bar.update()
    return Result(
        prepared.source,
        pd.concat(parts.values(), ignore_index=True),
        {name: float(np.mean(values)) for name, values in spent.items()},
        versions,
    )


def ours(prepared: Prepared) -> Result:
    """Predictions of Holdfast and the baselines, with the seconds from raw files to the risks at one cut-off."""
    parts, spent = [], []
    for cutoff in prepared.cutoffs:
        started = processor_seconds()
        parts.append(predict_at(Past(prepared.matrix), cutoff, prepared.params.featurize, prepared.params.train))
        spent.append(prepared.seconds + processor_seconds() - started)
    return Result(prepared.source, pd.concat(parts, ignore_index=True), {"risk": float(np.mean(spent))}, {})


def joined(own: Result, other: Result) -> Result:
    """Both side by side. Raises ContractError unless they hold the same accounts and cut-offs."""
    answer = aligned(other.predictions, own.predictions, "of all columns")
    predictions = pd.concat([own.predictions, answer.drop(columns=ROW)], axis=1)
    return Result(own.source, predictions, own.seconds | other.seconds, own.versions | other.versions)
